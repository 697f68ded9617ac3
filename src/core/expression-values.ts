// Values of expressions and what computing them costs. JSON in, JSON out; every rule of conversion is here, and so is
// the meter that ends an expression before it can hold up the process.

import { ExpressionFault } from './expression-fault.ts';
import { isJsonObject, type Json, MAX_DATA_BYTES } from './json.ts';

/** Nodes evaluated by one expression, and by one template with all the expressions in it. */
const MAX_NODES = 10_000;
const MAX_TEMPLATE_NODES = 100_000;
/** Characters and elements that one template may read and make: a few times the largest value, some 20 ms of work. */
const MAX_WORK = 4 * MAX_DATA_BYTES;
const MAX_CHARS = MAX_DATA_BYTES;

/** Counts what one expression, or one template, costs; throws `ExpressionFault` when it is too much. */
export class Meter {
  #nodes = 0;
  #allNodes = 0;
  #work = 0;
  #output = 0;

  /** Begins the next expression of the same template. */
  restart(): void {
    this.#nodes = 0;
  }

  step(): void {
    this.#nodes += 1;
    this.#allNodes += 1;
    if (this.#nodes > MAX_NODES || this.#allNodes > MAX_TEMPLATE_NODES)
      throw new ExpressionFault(`takes more than ${MAX_NODES} steps to compute; filter less data, or use a tool`);
  }

  charge(units: number): void {
    this.#work += units;
    if (this.#work > MAX_WORK) throw new ExpressionFault('reads too much data; use a tool for work of this size');
  }

  /** A text that was made; it may be no larger than a stored value. */
  text(value: string): string {
    if (value.length > MAX_CHARS) throw tooLarge();
    this.charge(value.length);
    return value;
  }

  list(value: Json[]): Json[] {
    this.charge(value.length);
    return value;
  }

  json(value: Json): string {
    this.charge(measure(value, MAX_CHARS));
    return this.text(JSON.stringify(value));
  }

  /** Counts a result towards the size of everything a template makes. */
  output(value: Json): Json {
    const left = MAX_CHARS - this.#output;
    const size = typeof value === 'string' ? value.length : measure(value, left);
    if (size > left) throw tooLarge();
    this.#output += size;
    return value;
  }
}

/** Text as people expect it in a sentence: null is nothing, objects and lists are JSON. */
export function toText(meter: Meter, value: Json): string {
  if (value === null) return '';
  if (typeof value === 'string') {
    meter.charge(value.length);
    return value;
  }
  return typeof value === 'object' ? meter.json(value) : String(value);
}

/** A number, or null for null, text that is no number, lists and objects. */
export function toNumber(value: Json): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string' || value.length > 100 || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Equality across kinds: numbers and their text are equal, null only to null, lists and objects by content. */
export function areEqual(meter: Meter, left: Json, right: Json): boolean {
  meter.charge(1);
  if (left === right) return true;
  if (left === null || right === null) return false;
  if (typeof left === 'object' || typeof right === 'object') return areSameShape(meter, left, right);
  if (typeof left === typeof right) return chargeText(meter, left, right) && left === right;
  const [a, b] = [toNumber(left), toNumber(right)];
  return a !== null && a === b;
}

/** Order of two numbers or two texts (text beside a number is read as one); null when they have none. */
export function compare(meter: Meter, left: Json, right: Json): number | null {
  if (typeof left === 'string' && typeof right === 'string') {
    chargeText(meter, left, right);
    if (left === right) return 0;
    return left < right ? -1 : 1;
  }
  const [a, b] = [toNumber(left), toNumber(right)];
  return a === null || b === null ? null : a - b;
}

function chargeText(meter: Meter, left: Json, right: Json): true {
  if (typeof left === 'string' && typeof right === 'string') meter.charge(Math.min(left.length, right.length));
  return true;
}

function areSameShape(meter: Meter, left: Json, right: Json): boolean {
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => areEqual(meter, item, right[index]!))
    );
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && areEqual(meter, left[key]!, right[key]!))
  );
}

/** About how many characters `value` is as JSON, counted no further than `limit`. */
function measure(value: Json, limit: number): number {
  const stack: Json[] = [value];
  let size = 0;
  while (stack.length > 0 && size <= limit) {
    const current = stack.pop()!;
    if (typeof current === 'string') size += current.length + 2;
    else if (Array.isArray(current)) {
      size += current.length + 2;
      if (size <= limit) for (const item of current) stack.push(item);
    } else if (isJsonObject(current)) {
      size += 2;
      for (const key in current) {
        size += key.length + 4;
        stack.push(current[key]!);
      }
    } else size += 5;
  }
  if (size > limit) throw tooLarge();
  return size;
}

function tooLarge(): ExpressionFault {
  return new ExpressionFault(`makes a value larger than ${MAX_DATA_BYTES} bytes`);
}
