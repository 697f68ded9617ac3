// The functions that expressions may call, as `length(x)` or `x|length`, and no others. Each is total: an argument of the
// wrong kind gives null, not an error, so that a missing field does not end a run. Each pays for the size of what it reads.

import { type Meter, toNumber, toText } from './expression-values.ts';
import type { Json } from './json.ts';
import { isJsonObject } from './json.ts';

export interface ExpressionFunction {
  /** Number of arguments, from and to. */
  arity: readonly [number, number];
  call(meter: Meter, args: readonly Json[]): Json;
}

const textOf = (apply: (text: string) => string): ExpressionFunction => ({
  arity: [1, 1],
  call: (meter, [value = null]) => (value === null ? null : meter.text(apply(toText(meter, value)))),
});

const numberOf = (apply: (value: number) => number): ExpressionFunction => ({
  arity: [1, 1],
  call: (_, [value = null]) => {
    const number = toNumber(value);
    return number === null ? null : finite(apply(number));
  },
});

const compareText = (apply: (text: string, part: string) => boolean): ExpressionFunction => ({
  arity: [2, 2],
  call: (meter, [value = null, part = null]) =>
    value !== null && part !== null && apply(toText(meter, value), toText(meter, part)),
});

const ofNumbers = (apply: (numbers: number[]) => number | null): ExpressionFunction => ({
  arity: [1, 100],
  call: (meter, args) => {
    const list = args.length === 1 && Array.isArray(args[0]) ? args[0] : args;
    meter.charge(list.length);
    const result = apply(list.map(toNumber).filter((value) => value !== null));
    return result === null ? null : finite(result);
  },
});

const TRUTHY_TEXT_EXCEPTIONS: ReadonlySet<string> = new Set(['', 'false', 'no', '0']);

export const FUNCTIONS: ReadonlyMap<string, ExpressionFunction> = new Map<string, ExpressionFunction>([
  ['length', { arity: [1, 1], call: (_, [value = null]) => lengthOf(value) }],
  ['upper', textOf((text) => text.toUpperCase())],
  ['lower', textOf((text) => text.toLowerCase())],
  ['trim', textOf((text) => text.trim())],
  ['join', { arity: [1, 2], call: (meter, [list = null, separator = ',']) => join(meter, list, separator) }],
  ['split', { arity: [2, 2], call: (meter, [text = null, separator = null]) => split(meter, text, separator) }],
  ['includes', { arity: [2, 2], call: (meter, [whole = null, part = null]) => includes(meter, whole, part) }],
  ['startsWith', compareText((text, part) => text.startsWith(part))],
  ['endsWith', compareText((text, part) => text.endsWith(part))],
  [
    'keys',
    { arity: [1, 1], call: (meter, [value = null]) => (isJsonObject(value) ? meter.list(Object.keys(value)) : null) },
  ],
  [
    'values',
    { arity: [1, 1], call: (meter, [value = null]) => (isJsonObject(value) ? meter.list(Object.values(value)) : null) },
  ],
  ['sum', ofNumbers((numbers) => numbers.reduce((total, value) => total + value, 0))],
  [
    'min',
    ofNumbers((numbers) => (numbers.length === 0 ? null : numbers.reduce((least, value) => Math.min(least, value)))),
  ],
  [
    'max',
    ofNumbers((numbers) => (numbers.length === 0 ? null : numbers.reduce((most, value) => Math.max(most, value)))),
  ],
  ['round', { arity: [1, 2], call: (_, [value = null, digits = 0]) => round(toNumber(value), toNumber(digits) ?? 0) }],
  ['floor', numberOf(Math.floor)],
  ['ceil', numberOf(Math.ceil)],
  ['abs', numberOf(Math.abs)],
  ['number', numberOf((value) => value)],
  ['string', { arity: [1, 1], call: (meter, [value = null]) => meter.text(toText(meter, value)) }],
  [
    'boolean',
    {
      arity: [1, 1],
      call: (_, [value = null]) =>
        typeof value === 'string' ? !TRUTHY_TEXT_EXCEPTIONS.has(value.trim().toLowerCase()) : Boolean(value),
    },
  ],
  ['json', { arity: [1, 1], call: (meter, [value = null]) => meter.json(value) }],
]);

function lengthOf(value: Json): Json {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return isJsonObject(value) ? Object.keys(value).length : null;
}

function join(meter: Meter, list: Json, separator: Json): Json {
  if (!Array.isArray(list)) return null;
  meter.charge(list.length);
  const between = toText(meter, separator);
  meter.charge(between.length * list.length);
  return meter.text(list.map((item) => toText(meter, item)).join(between));
}

function split(meter: Meter, text: Json, separator: Json): Json {
  if (typeof text !== 'string' || typeof separator !== 'string') return null;
  meter.charge(text.length);
  return meter.list(text.split(separator));
}

function includes(meter: Meter, whole: Json, part: Json): Json {
  if (typeof whole === 'string') {
    meter.charge(whole.length);
    return part !== null && whole.includes(toText(meter, part));
  }
  if (!Array.isArray(whole)) return false;
  meter.charge(whole.length);
  return whole.includes(part);
}

function round(value: number | null, digits: number): Json {
  if (value === null || !Number.isInteger(digits) || digits < 0 || digits > 15) return null;
  // Shifting by an exponent in text keeps 1.005 from becoming 1.00499…; it fails only where no digits are left to cut.
  const shifted = Number(`${value}e${digits}`);
  return Number.isFinite(shifted) ? finite(Number(`${Math.round(shifted)}e-${digits}`)) : value;
}

/** JSON has no NaN and no infinity: what cannot be computed is null. Nor does it keep -0, so nothing computes it. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value + 0 : null;
}
