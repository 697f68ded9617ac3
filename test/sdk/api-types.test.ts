// What the client believes of the API is what the server says of itself.

import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { API_TYPES, makeApiTypes } from '../../scripts/api-types.ts';
import { writeApiTypes } from '../../scripts/openapi-types.ts';
import type { JsonObject } from '../../src/core/json.ts';

describe('src/sdk/api-types.ts', () => {
  it('is what the OpenAPI document says: after a change of routes run `npm run api-types`', async () => {
    const isSame = (await readFile(API_TYPES, 'utf8')) === makeApiTypes();
    expect(isSame, 'run `npm run api-types`').to.equal(true);
  });

  it('has a type for each form of schema, and refuses one that it would have to guess', () => {
    const answer = {
      type: 'object',
      properties: {
        id: { type: 'string', format: 'uuid', description: 'Which one.' },
        kind: { enum: ['a', 'b'] },
        next: { anyOf: [{ $ref: '#/components/schemas/Thing' }, { type: 'null' }] },
        count: { type: ['integer', 'string'] },
        'x-y': { type: 'array', items: { const: 1 } },
        rest: { type: 'object', additionalProperties: { type: 'boolean' } },
        any: {},
      },
      required: ['id'],
    };
    const paths = (schema: JsonObject): JsonObject => ({
      '/things/{id}': { get: { responses: { 200: { content: { 'application/json': { schema } } } } } },
    });
    const components = { schemas: { Thing: { title: 'Thing', type: 'object', properties: { a: { type: 'null' } } } } };
    const text = writeApiTypes({ paths: paths(answer), components }, () => true);
    expect(text.split('\n').slice(3).join('\n')).to.equal(`export interface Thing {
  a?: null | undefined;
}

/** Every call by its method and path. */
export interface Operations {
  'GET /things/{id}': {
    query: undefined;
    body: undefined;
    answer: {
      /** Which one. */
      id: string;
      kind?: 'a' | 'b' | undefined;
      next?: Thing | null | undefined;
      count?: number | string | undefined;
      'x-y'?: 1[] | undefined;
      rest?: { [key: string]: boolean } | undefined;
      any?: unknown;
    };
  };
}
`);
    const guess = () => writeApiTypes({ paths: paths({ allOf: [] }), components }, () => true);
    expect(guess).to.throw('teach scripts/openapi-types.ts the keyword allOf');
  });
});
