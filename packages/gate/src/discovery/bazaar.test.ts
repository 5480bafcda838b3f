import { expect, test } from '@keyfare/jest-preset/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { describeRoute } from './bazaar.js';
import { exampleOf, inlineSchema, writeSchema } from './json-schema.js';

const document = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} } as OpenAPIObject;
const link = '</openapi.json>; rel="service-desc"';

test('members that are called as keywords of schemas are kept, and examples and patterns of formats are not', () => {
  const schema = {
    type: 'object',
    properties: {
      example: { type: 'string', examples: ['a'] },
      pattern: { type: 'string' },
      format: { type: 'string', format: 'date', pattern: '^x$' },
    },
    required: ['example'],
    examples: [{ example: 'a' }],
  };
  const body = inlineSchema(schema, {});
  const operation = { responses: {}, requestBody: { content: { 'application/json': { schema: body as object } } } };
  const { extensions } = describeRoute(operation, { path: '/', method: 'POST', document, link });
  expect(extensions[0]?.members).toMatchObject({
    bazaar: {
      info: { input: { method: 'POST', bodyType: 'json', body: { example: 'a' } } },
      schema: { properties: { input: { required: ['type', 'method', 'bodyType', 'body'] } } },
    },
  });
  const written = extensions[0]?.members['bazaar'] as {
    schema: { properties: { input: { properties: { body: object } } } };
  };
  expect(written.schema.properties.input.properties.body).toEqual({
    type: 'object',
    properties: {
      example: { type: 'string' },
      pattern: { type: 'string' },
      format: { type: 'string', format: 'date' },
    },
    required: ['example'],
  });
});

test('a route without inputs or a declared answer says its method, and promises no example that it has not', () => {
  const { extensions, outputSchema } = describeRoute({ responses: {} }, { path: '/', method: 'GET', document, link });
  expect(extensions).toHaveLength(1);
  expect(extensions[0]?.members).toMatchObject({ bazaar: { info: { input: { type: 'http', method: 'GET' } } } });
  expect(outputSchema).toEqual({ input: { type: 'http', method: 'GET', discoverable: true } });
});

test('a schema that refers to itself ends, and a reference to nothing takes everything', () => {
  const definitions = {
    Tree: { type: 'object', properties: { parts: { type: 'array', items: { $ref: '#/x/Tree' } } } },
  };
  expect(inlineSchema({ $ref: '#/components/schemas/Tree' }, definitions)).toEqual({
    type: 'object',
    properties: { parts: { type: 'array', items: {} } },
  });
  expect(inlineSchema({ $ref: '#/components/schemas/None' }, definitions)).toEqual({});
});

test('a Standard Schema is written as what a request may have; what cannot be written down is left out', () => {
  const degrees = z
    .string()
    .meta({ examples: ['1'] })
    .transform(Number);
  expect(writeSchema(degrees, 'input')).toMatchObject({ type: 'string', examples: ['1'] });
  expect(writeSchema({ '~standard': { version: 1 } }, 'input')).toBeUndefined();
  expect([{ examples: [0, 1] }, { example: false }, { default: '' }, {}].map(exampleOf)).toEqual([
    0,
    false,
    '',
    undefined,
  ]);
});
