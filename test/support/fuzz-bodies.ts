// What a hostile or broken client may send: bytes, text, JSON of any kind, bodies and queries that fit a route but for one
// thing. Generators for fast-check; they know schemas, and no server.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';

export interface FuzzedRequest {
  headers: Record<string, string>;
  body: Buffer;
}

/** JSON that parsers, validators and databases have stumbled over. */
const NASTY_TEXTS = [
  '',
  ' ',
  'null',
  '[]',
  '"text"',
  '{',
  '{"a":',
  '{} trailing',
  '{"a":1}{"b":2}',
  '\ufeff{}',
  "{'a':1}",
  '{"a":1,}',
  '{"a":NaN}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"data":{"n":1e400}}',
  '{"data":{"n":9007199254740993}}',
  '{"data":{"t":"\\u0000"}}',
  '{"data":{"t":"\\ud800"}}',
  '{"\\u0000":1}',
  `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  `${'{"data":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  `{${'"a":1,'.repeat(5_000)}"b":2}`,
];

/** Values that are seldom expected where they stand. */
const nastyValue: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    -0,
    -1,
    0.5,
    1e308,
    2 ** 53,
    '',
    ' ',
    '${',
    '${data.x}',
    '${secrets.X}',
    '{{input.x}}',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    '../../etc/passwd',
    "' OR 1=1 --",
    '%',
    '#',
    '#/$defs/a',
    'x'.repeat(10_000),
    [],
    {},
    [[]],
    { toString: null },
    { $ref: '#' },
    { type: 'object', properties: { a: { $ref: '#' } } },
  ),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
);

const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'type', 'id', 'data', 'files', '$ref', ''),
  fc.string({ maxLength: 8 }),
);

/** Bodies near those that a route takes: `samples` fit it, `schema` is what it declares. */
export function fuzzedRequests(samples: readonly Json[], schema: JsonObject): fc.Arbitrary<FuzzedRequest> {
  const value = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...samples).chain(mutate) },
    { weight: 2, arbitrary: resembling(schema) },
    { weight: 1, arbitrary: nastyValue },
  );
  const text = fc.oneof(
    { weight: 6, arbitrary: value.map((json) => JSON.stringify(json)) },
    { weight: 2, arbitrary: value.chain((json) => cut(JSON.stringify(json))) },
    { weight: 2, arbitrary: fc.constantFrom(...NASTY_TEXTS) },
  );
  const bytes = fc.oneof(
    { weight: 9, arbitrary: text.map((written) => Buffer.from(written)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)) },
  );
  return fc.tuple(bytes, wrapping).map(([body, wrap]) => wrap(body));
}

/** Query strings near those that a route takes. */
export function fuzzedQueries(schema: JsonObject): fc.Arbitrary<string> {
  const names = Object.keys((schema['properties'] as JsonObject | undefined) ?? {});
  const name =
    names.length === 0
      ? key
      : fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: key });
  const known = fc.constantFrom(
    '',
    '0',
    '-1',
    '1e3',
    '0x10',
    '99999999999999999999',
    'true',
    'null',
    '1.0.0',
    'latest',
    '%',
    '_',
    "' OR 1=1 --",
    '[]',
  );
  const text = fc.oneof(known, fc.string(), fc.string({ unit: 'binary', maxLength: 20 }));
  const pair = fc.tuple(name, text).map(([field, value]) => new URLSearchParams([[field, value]]).toString());
  const raw = fc.constantFrom(
    '%',
    '%ff=%ff',
    '%00',
    'a[b]=c',
    '__proto__[x]=1',
    '=&=&',
    '&'.repeat(2_000),
    'a=1&'.repeat(1_500),
  );
  const part = fc.oneof({ weight: 9, arbitrary: pair }, { weight: 1, arbitrary: raw });
  return fc.array(part, { maxLength: 4 }).map((parts) => parts.join('&'));
}

/** One place of `value` replaced, removed or doubled. */
function mutate(value: Json): fc.Arbitrary<Json> {
  const places = listPlaces(value);
  return fc.tuple(fc.constantFrom(...places), nastyValue, fc.constantFrom('replace', 'remove', 'add'), key).map(
    ([path, nasty, how, name]) =>
      change(value, path, (old) => {
        if (how === 'remove') return undefined;
        if (how === 'add' && Array.isArray(old)) return [...old, ...old, nasty];
        return how === 'add' && isJsonObject(old) ? withKey(old, name, nasty) : nasty;
      }) ?? null,
  );
}

function listPlaces(value: Json, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, item]) => listPlaces(item, [...path, name]))];
}

function change(value: Json, [name, ...rest]: string[], act: (old: Json) => Json | undefined): Json | undefined {
  if (name === undefined) return act(value);
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => (`${index}` === name ? (change(item, rest, act) ?? []) : [item]));
  }
  const entries = Object.entries(value as JsonObject).flatMap(([field, item]): [string, Json][] => {
    const changed = field === name ? change(item, rest, act) : item;
    return changed === undefined ? [] : [[field, changed]];
  });
  return Object.fromEntries(entries);
}

/** Defined, not assigned: the key may be `__proto__`. */
function withKey(object: JsonObject, name: string, value: Json): JsonObject {
  return Object.fromEntries([...Object.entries(object), [name, value]]);
}

/** An object with the fields that a schema names, each rightly or wrongly filled, some left out, some more. */
function resembling(schema: JsonObject): fc.Arbitrary<Json> {
  const names = Object.keys((schema['properties'] as JsonObject | undefined) ?? {});
  const field = fc.tuple(names.length === 0 ? key : fc.oneof(fc.constantFrom(...names), key), nastyValue);
  return fc.array(field, { maxLength: names.length + 2 }).map((fields) => Object.fromEntries(fields));
}

function cut(text: string): fc.Arbitrary<string> {
  const place = fc.nat(text.length);
  return fc
    .tuple(place, place, fc.string({ maxLength: 3 }))
    .map(([from, to, middle]) => text.slice(0, from) + middle + text.slice(to));
}

type Wrap = (body: Buffer) => FuzzedRequest;

const JSON_TYPE = { 'content-type': 'application/json' };
const plain: Wrap = (body) => ({ headers: JSON_TYPE, body });

/** The headers a body is sent with: nearly always right, or most requests would end there. */
const wrapping: fc.Arbitrary<Wrap> = fc.oneof(
  { weight: 30, arbitrary: fc.constant(plain) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Wrap>(
      (body) => ({ headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(body) }),
      (body) => ({ headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(body).subarray(0, 15) }),
      (body) => ({ headers: { ...JSON_TYPE, 'content-encoding': 'br' }, body }),
      (body) => ({ headers: { ...JSON_TYPE, 'content-encoding': 'bogus' }, body }),
      (body) => ({ headers: { 'content-type': 'application/json; charset=utf-16' }, body }),
      (body) => ({ headers: { 'content-type': 'text/plain' }, body }),
      (body) => ({ headers: { 'content-type': '' }, body }),
      (body) => ({ headers: { 'content-type': 'multipart/form-data' }, body }),
      (body) => ({ headers: { 'content-type': 'multipart/form-data; boundary=x' }, body }),
      (body) => ({ headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: form(body) }),
      (body) => ({ headers: { ...JSON_TYPE, 'idempotency-key': 'same', 'if-match': '"x"' }, body }),
    ),
  },
);

/** The body as the one field of a form. */
function form(body: Buffer): Buffer {
  const head = '--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n';
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\r\n--x--\r\n')]);
}
