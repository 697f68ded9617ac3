// ajv, set up so that no schema and no value can make it throw, wait or slow down: formats and patterns are bounded, and
// values are compared by their content alone. Turning its errors into words is core/schema-messages.ts.

import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import { type Json, toCanonicalText } from './json.ts';
import { compilePattern, PatternMeter } from './schema-patterns.ts';
import { FORMATS } from './schema-rules.ts';

/** Compiling leaves traces in ajv's instance for good; a fresh one now and then keeps that bounded. */
const COMPILES_PER_INSTANCE = 200;
/** Format checks are regular expressions; none that people need is longer. */
const MAX_FORMATTED_CHARS = 4_096;

const meter = new PatternMeter();
/** The name is for ajv's standalone code, which is never made. */
const LINEAR = Object.assign((source: string) => compilePattern(source, meter), { code: 'linear' });
const oursAjv = createAjv({ isOurs: true });
let theirs = { ajv: createAjv({ isOurs: false }), uses: 0 };

/** Compiles a schema of our own, whose patterns need no guarding. */
export function compileOurs(schema: Json): ValidateFunction {
  return oursAjv.compile(toSchema(schema));
}

/** Compiles a prepared schema of a user's; validating throws `PatternWorkError` when its patterns take too long. */
export function compileTheirs(schema: Json): (value: Json) => Pick<ValidateFunction, 'errors'> & { isValid: boolean } {
  if (theirs.uses >= COMPILES_PER_INSTANCE) theirs = { ajv: createAjv({ isOurs: false }), uses: 0 };
  theirs.uses += 1;
  const validate = theirs.ajv.compile(toSchema(schema));
  return (value) => {
    meter.restart();
    const isValid = validate(value);
    const { errors = null } = validate;
    // They hold the value that was checked.
    validate.errors = null;
    return { isValid, errors };
  };
}

function toSchema(schema: Json): object | boolean {
  return typeof schema === 'boolean' ? schema : (schema as object); // a schema is one of the two, as was checked
}

function createAjv({ isOurs }: { isOurs: boolean }): Ajv2020 {
  // Not strict: what strictness would find is refused earlier, with better words, by schema-rules.ts; here it could only
  // throw while somebody answers. `ownProperties`: a field called `toString` is there only if it was sent.
  const ajv = new Ajv2020({
    strict: false,
    strictNumbers: true,
    validateSchema: false,
    addUsedSchema: false,
    allErrors: true,
    verbose: true,
    ownProperties: true,
    useDefaults: true,
    logger: false,
    // Optimising takes ajv longer than these schemas ever run.
    code: isOurs ? { optimize: false } : { optimize: false, regExp: LINEAR },
  });
  for (const name of FORMATS) ajv.addFormat(name, boundFormat(name));
  compareByContent(ajv);
  return ajv;
}

/** ajv's own comparison is quadratic in `uniqueItems`, and calls whatever a value has under `toString` or `valueOf`. */
function compareByContent(ajv: Ajv2020): void {
  for (const keyword of ['uniqueItems', 'enum', 'const']) ajv.removeKeyword(keyword);
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (isOn: boolean, list: Json[]) => !isOn || new Set(list.map(toCanonicalText)).size === list.length,
  });
  const isOneOf = (values: Json[]) => {
    const texts = new Set(values.map(toCanonicalText));
    return (value: Json) => texts.has(toCanonicalText(value));
  };
  ajv.addKeyword({ keyword: 'enum', schemaType: 'array', compile: isOneOf });
  ajv.addKeyword({ keyword: 'const', compile: (value: Json) => isOneOf([value]) });
}

type Format = (typeof FORMATS)[number];

function boundFormat(name: Format): { type: 'number'; validate(value: number): boolean } | ((text: string) => boolean) {
  const format = formatsModule.default.get(name);
  if (typeof format === 'object' && 'type' in format && format.type === 'number') {
    return { type: 'number', validate: format.validate as (value: number) => boolean };
  }
  return (text) => text.length <= MAX_FORMATTED_CHARS && matches(format, text);
}

function matches(format: ReturnType<typeof formatsModule.default.get>, text: string): boolean {
  if (typeof format === 'boolean') return format;
  if (typeof format === 'string') return new RegExp(format).test(text);
  if (format instanceof RegExp) {
    format.lastIndex = 0;
    return format.test(text);
  }
  if (typeof format === 'function') return format(text);
  const { validate } = format;
  if (validate instanceof RegExp) return validate.test(text);
  return typeof validate === 'function' && (validate as (value: string) => boolean)(text);
}
