// The types of the client, made from the OpenAPI document: an interface for every named schema and, for each operation, what
// it takes and answers. Knows JSON Schema as far as our schemas go, and throws at a keyword that it would have to guess.

import type { Json, JsonObject } from '../src/core/json.ts';

const HEADER = `// Made by \`npm run api-types\` from the OpenAPI document; do not edit, a test compares. What the API takes and answers
// where the client calls it. It may have over 400 lines because it is generated.
`;

/** What the errors of these operations look like. */
const ERRORS = 'StatusError';

const IGNORED_KEYWORDS = new Set(
  `title description format pattern minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum minItems maxItems
  uniqueItems minProperties maxProperties propertyNames required readOnly writeOnly examples example default deprecated
  additionalProperties patternProperties contentMediaType contentEncoding multipleOf nullable`.split(/\s+/),
);

/** The text of `src/sdk/api-types.ts`, for the operations whose path `isCalled`. */
export function writeApiTypes(document: JsonObject, isCalled: (path: string) => boolean): string {
  const schemas = (document['components'] as JsonObject)['schemas'] as Record<string, JsonObject>;
  const operations = Object.entries(document['paths'] as Record<string, Record<string, JsonObject>>)
    .filter(([path]) => isCalled(path))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        writeOperation(`${method.toUpperCase()} ${path}`, operation),
      ),
    );
  const body = `\n/** Every call by its method and path. */\nexport interface Operations {\n${operations.join('\n')}\n}\n`;
  return `${HEADER}${writeNamed(schemas, body)}${body}`;
}

/** Interfaces of the schemas that `text` refers to, and of those that they refer to. */
function writeNamed(schemas: Readonly<Record<string, JsonObject>>, text: string): string {
  const written = new Map<string, string>();
  const follow = (source: string) => {
    for (const [, name = ''] of source.matchAll(/\b([A-Z]\w+)\b/g)) {
      const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
      if (schema === undefined || written.has(name)) continue;
      const type = writeType(schema, '');
      const declared = type.startsWith('{') ? `interface ${name} ${type}` : `type ${name} = ${type};`;
      written.set(name, `\n${comment(schema, '')}export ${declared}\n`);
      follow(type);
    }
  };
  follow(`${text} ${ERRORS}`);
  return [...written]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, declared]) => declared)
    .join('');
}

function writeOperation(name: string, operation: JsonObject): string {
  const parameters = ((operation['parameters'] ?? []) as JsonObject[]).filter((one) => one['in'] === 'query');
  const query = parameters.map((one) => ({ ...one, name: String(one['name']), required: one['required'] === true }));
  const answers = Object.entries(operation['responses'] as Record<string, JsonObject>).filter(([s]) =>
    s.startsWith('2'),
  );
  const types = new Set(answers.map(([, answer]) => writeContent(answer) ?? 'undefined'));
  const body = writeContent((operation['requestBody'] ?? {}) as JsonObject);
  return [
    `  '${name}': {`,
    `    query: ${query.length === 0 ? 'undefined' : writeMembers(query, '    ')};`,
    `    body: ${body ?? 'undefined'};`,
    `    answer: ${[...types].join(' | ')};`,
    '  };',
  ].join('\n');
}

/** The type of JSON content, or of one event of a stream; null where there is none, `string` where it is something else. */
function writeContent(described: JsonObject): string | null {
  const content = described['content'] as Record<string, JsonObject> | undefined;
  if (content === undefined) return null;
  const media = content['application/json'] ?? content['text/event-stream'];
  if (media === undefined) return 'string';
  return media['schema'] === undefined ? 'unknown' : writeType(media['schema'], '    ');
}

function writeType(schema: Json, indent: string): string {
  if (schema === true) return 'unknown';
  const { $ref, enum: words, const: only, anyOf, oneOf, type, items, properties, ...rest } = schema as JsonObject;
  const unknown = Object.keys(rest).filter((key) => !IGNORED_KEYWORDS.has(key) && !key.startsWith('x-'));
  if (unknown.length > 0) throw new Error(`teach scripts/openapi-types.ts the keyword ${unknown.join(', ')}`);
  if (typeof $ref === 'string') return $ref.split('/').at(-1)!;
  if (only !== undefined) return writeValue(only);
  if (Array.isArray(words)) return words.map(writeValue).join(' | ');
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return [...new Set(choices.map((choice) => writeType(choice, indent)))].join(' | ');
  if (Array.isArray(type))
    return type.map((one) => writeType({ ...(schema as JsonObject), type: one }, indent)).join(' | ');
  if (type === 'array') return items === undefined ? 'unknown[]' : writeList(writeType(items, indent));
  if (type === 'object' || properties !== undefined) return writeObject(schema as JsonObject, indent);
  return SIMPLE[String(type)] ?? 'unknown';
}

const SIMPLE: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
};

function writeList(item: string): string {
  return /^[\w.]+$/.test(item) ? `${item}[]` : `(${item})[]`;
}

function writeObject({ properties = {}, required = [], additionalProperties }: JsonObject, indent: string): string {
  const members = Object.entries(properties as Record<string, JsonObject>).map(([name, schema]) => ({
    name,
    schema,
    required: (required as string[]).includes(name),
  }));
  const values =
    typeof additionalProperties === 'object' && additionalProperties !== null
      ? writeType(additionalProperties, indent)
      : 'unknown';
  return members.length === 0 ? `{ [key: string]: ${values} }` : writeMembers(members, indent);
}

function writeMembers(members: JsonObject[], indent: string): string {
  const inner = `${indent}  `;
  const lines = members.map((member) => {
    const schema = (member['schema'] ?? {}) as JsonObject;
    const name = /^[A-Za-z_$][\w$]*$/.test(String(member['name']))
      ? member['name']
      : writeValue(String(member['name']));
    const type = writeType(schema, inner);
    const value = member['required'] ? `: ${type}` : type === 'unknown' ? '?: unknown' : `?: ${type} | undefined`;
    return `${comment({ ...schema, ...member }, inner)}${inner}${name}${value};`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function writeValue(value: Json): string {
  return typeof value === 'string'
    ? `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
    : JSON.stringify(value);
}

function comment({ description }: JsonObject, indent: string): string {
  return typeof description === 'string' ? `${indent}/** ${description.replaceAll('*/', '* /')} */\n` : '';
}
