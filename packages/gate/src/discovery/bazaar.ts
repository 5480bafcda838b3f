import { describeResource, type ResourceDescription } from '@keyfare/core/x402';
import type { OpenAPIObject } from '@nestjs/swagger';
import { exampleOf, inlineSchema, type JsonSchema } from './json-schema.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** What an operation takes and answers, without references. */
interface Shape {
  readonly method: string;
  /** Written with colons, as the extension writes it; undefined for a path without parameters. */
  readonly template: string | undefined;
  readonly query: JsonSchema | undefined;
  readonly path: JsonSchema | undefined;
  readonly body: JsonSchema | undefined;
  readonly answer: JsonSchema | undefined;
}

/**
 * What the 402 of a route says of its inputs and its answer: the extension `bazaar` of version 2 (x402,
 * specs/extensions/bazaar.md), the fullest first, and the `outputSchema` of version 1.
 */
export function describeRoute(
  operation: Operation,
  { path, method, document, link }: { path: string; method: string; document: OpenAPIObject; link: string },
): ResourceDescription {
  const shape = shapeOf(operation, { path, method, document });
  const { answer } = shape;
  const answers = answer === undefined ? [undefined] : [answer, outlineOf(answer), bareOf(answer), undefined];
  const extensions = answers.map((one) => ({ bazaar: bazaar({ ...shape, answer: one }) }));
  return describeResource(extensions, { outputSchema: outputSchema(shape), link });
}

function bazaar({ method, template, query, path, body, answer }: Shape): object {
  const examples = { queryParams: examplesOf(query), pathParams: examplesOf(path), body: body && exampleOf(body) };
  const output = answer && exampleOf(answer);
  const isBody = body !== undefined;
  const properties = {
    type: { type: 'string', const: 'http' },
    method: { type: 'string', enum: [method] },
    ...(isBody && { bodyType: { type: 'string', enum: ['json'] } }),
    ...(body && { body: withoutExamples(body) }),
    ...(query && { queryParams: withoutExamples(query) }),
    ...(path && { pathParams: withoutExamples(path) }),
  };
  const required = [
    'type',
    'method',
    ...(isBody ? ['bodyType'] : []),
    ...(examples.body === undefined ? [] : ['body']),
  ];
  return {
    info: {
      input: { type: 'http', method, ...(isBody && { bodyType: 'json' }), ...defined(examples) },
      ...(answer && { output: { type: 'json', ...defined({ example: output }) } }),
    },
    ...defined({ routeTemplate: template }),
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        input: { type: 'object', properties, required, additionalProperties: false },
        ...(answer && {
          output: {
            type: 'object',
            properties: { type: { type: 'string' }, example: withoutExamples(answer) },
            required: ['type'],
          },
        }),
      },
      required: ['input'],
    },
  };
}

/** The types of an answer's members, without what is in them. */
function outlineOf(answer: JsonSchema): JsonSchema {
  const { properties, required } = answer;
  const members = Object.entries(properties ?? {}).map(([name, own]) => [name, bareOf(own)] as const);
  return { ...bareOf(answer), ...(required && { required }), properties: Object.fromEntries(members) };
}

/** That there is an answer, and of which type: crawlers call a 402 faulty that says nothing of it. */
function bareOf({ type }: JsonSchema): JsonSchema {
  return type === undefined ? {} : { type };
}

/** As crawlers of version 1 read it: each input a field with its type, and whether it is needed. */
function outputSchema({ method, query, path, body, answer }: Shape): Readonly<Record<string, unknown>> {
  const input = {
    type: 'http',
    method,
    discoverable: true,
    ...(query && { queryParams: fieldsOf(query) }),
    ...(path && { pathParams: fieldsOf(path) }),
    ...(body && { bodyType: 'json', bodyFields: fieldsOf(body) }),
  };
  return { input, ...(answer && { output: withoutExamples(answer) }) };
}

function fieldsOf({ properties = {}, required = [] }: JsonSchema): object {
  const fields = Object.entries(properties).map(([name, schema]) => {
    return [name, { ...(withoutExamples(schema) as object), required: required.includes(name) }] as const;
  });
  return Object.fromEntries(fields);
}

function shapeOf(
  operation: Operation,
  { path, method, document }: { path: string; method: string; document: OpenAPIObject },
): Shape {
  const definitions = document.components?.schemas ?? {};
  const inlined = (schema: unknown) => (schema === undefined ? undefined : inlineSchema(schema, definitions));
  const { requestBody } = operation;
  const body = requestBody && 'content' in requestBody ? requestBody.content['application/json']?.schema : undefined;
  const success = Object.entries(operation.responses).find(([status]) => /^2\d\d$/.test(status))?.[1];
  const answer = success && 'content' in success ? success.content?.['application/json']?.schema : undefined;
  const hasParameters = path.includes('{');
  return {
    method,
    template: hasParameters ? path.replaceAll(/{(\w+)}/g, ':$1') : undefined,
    query: inlined(parametersOf(operation, 'query')),
    path: inlined(parametersOf(operation, 'path')),
    body: inlined(body),
    answer: inlined(answer),
  };
}

/** The parameters of one place as the schema of an object; undefined where there are none. */
function parametersOf({ parameters = [] }: Operation, place: 'query' | 'path'): JsonSchema | undefined {
  const own = parameters.flatMap((one) => ('name' in one && one.in === place ? [one] : []));
  if (own.length === 0) return undefined;
  const properties = own.map(({ name, schema = {}, example, description }) => {
    const examples: unknown = example === undefined ? undefined : [example];
    return [name, { ...schema, ...defined({ description, examples }) } as JsonSchema] as const;
  });
  const required = own.filter((one) => one.required === true).map(({ name }) => name);
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false };
}

/** The examples of all members, where each that is required has one. */
function examplesOf(schema: JsonSchema | undefined): object | undefined {
  const examples = Object.entries(schema?.properties ?? {}).flatMap(([name, own]) => {
    const example = exampleOf(own);
    return example === undefined ? [] : [[name, example] as const];
  });
  const known = new Set(examples.map(([name]) => name));
  const isWhole = schema?.required?.every((name) => known.has(name)) ?? false;
  return isWhole ? Object.fromEntries(examples) : undefined;
}

/** The schema without its examples. Members of an object may be called as keywords are: they are kept. */
function withoutExamples(value: unknown, areMembers = false): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutExamples(item));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([keyword]) => areMembers || (keyword !== 'examples' && keyword !== 'example'),
  );
  const inner = kept.map(([keyword, own]) => [keyword, withoutExamples(own, !areMembers && keyword === 'properties')]);
  return Object.fromEntries(inner) as unknown;
}

function defined(members: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
