import type { INestApplication } from '@nestjs/common';
import type { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { type SoldRoute, withoutMount } from '../sold-routes.js';
import { exampleOf, writeSchema } from './json-schema.js';
import { paymentInfo } from './payment-info.js';
import { problemResponses, problemSchemas, refusals, securitySchemes } from './responses.js';

/** What a host says of its service. */
export interface ServiceInfo {
  readonly title: string;
  /** What the service is for, in a sentence or two of plain text. */
  readonly description: string;
  /** The version of the service's interface. @default '1.0.0' */
  readonly version?: string;
  /** Who answers questions; registries of services verify owners by the address. @default nobody */
  readonly contact?: { readonly name?: string; readonly email?: string; readonly url?: string };
}

/** The parts of an application that its description is read from. */
export interface ApplicationParts {
  readonly modules: ModulesContainer;
  readonly config: ApplicationConfig;
  readonly host: HttpAdapterHost;
  /** Those that a query is held to as a whole. */
  readonly querySchemas: ReadonlySet<unknown>;
}

/** A page of the gate's own: a route of Fastify, which Nest does not know. */
export interface OwnPage {
  readonly path: string;
  readonly summary: string;
  readonly mimeType: string;
  /** Of a page that takes a POST: what it takes and answers, and who may show a credential there. */
  readonly post?: { readonly takes: unknown; readonly answers: unknown };
}

interface Described {
  readonly info: ServiceInfo;
  readonly publicUrl: string;
  /** The path that a proxy adds, which callers do not know. */
  readonly mountPath: string;
  readonly sold: readonly SoldRoute[];
  readonly pages: readonly OwnPage[];
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
const methods = ['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace'] as const;

/** The OpenAPI 3.1 document of an application: its routes and their schemas, and what each of them costs. */
export function createDocument(
  parts: ApplicationParts,
  { info, publicUrl, mountPath, sold, pages }: Described,
): OpenAPIObject {
  const { title, description, version = '1.0.0', contact } = info;
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(title)
    .setDescription(description)
    .setVersion(version)
    .addServer(publicUrl);
  const base = builder.build();
  base.info.contact = { ...contact };
  const document = SwaggerModule.createDocument(asApplication(parts), base, {
    standardSchemaConverter: (schema, { schemaType }) =>
      convert(schema, { schemaType, isWhole: parts.querySchemas.has(schema) }),
  });
  const paths = Object.entries(document.paths).map(([path, item]) => [withoutMount(path, mountPath), item] as const);
  document.paths = Object.fromEntries(paths);
  const bySale = new Map(sold.map((route) => [`${route.method} ${route.path}`, route]));
  for (const { path, method, operation } of operationsOf(document)) {
    const route = bySale.get(`${method.toUpperCase()} ${path}`);
    if (route !== undefined) describeSale(operation, route);
    // Without it a reader would have to guess whether a key is needed.
    operation.security ??= [];
    showExamples(operation);
  }
  for (const page of pages) {
    document.paths[page.path] = page.post === undefined ? { get: describePage(page) } : { post: describePost(page) };
  }
  document.components = {
    ...document.components,
    securitySchemes: { ...document.components?.securitySchemes, ...securitySchemes },
    schemas: { ...document.components?.schemas, ...problemSchemas },
    responses: { ...document.components?.responses, ...problemResponses },
  };
  return Object.assign(document, { 'x-agentcash-guidance': { llmsTxtUrl: `${publicUrl}/llms.txt` } });
}

/** Each operation of the document. */
export function operationsOf(document: OpenAPIObject) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ path, method, operation }];
    }),
  );
}

/**
 * A payment is declared by `x-payment-info` and not as a security scheme of the operation: crawlers take each scheme of
 * the type `apiKey` for a key that is needed beside the payment.
 */
function describeSale(operation: Operation, route: SoldRoute): void {
  const schemes = [{ bearer: [] }, {}];
  Object.assign(operation, { security: schemes, 'x-payment-info': paymentInfo(route) });
  operation.summary ??= route.products.map(({ sku }) => sku).join(', ');
  for (const [status, refusal] of Object.entries(refusals)) operation.responses[status] ??= refusal;
}

/** An example of a parameter stands beside its schema, where readers of OpenAPI look for it. */
function showExamples(operation: Operation): void {
  for (const parameter of operation.parameters ?? []) {
    if (!('schema' in parameter) || parameter.schema === undefined) continue;
    const example = exampleOf(parameter.schema as Readonly<Record<string, unknown>>);
    if (example !== undefined) parameter.example ??= example;
  }
}

function describePage({ path, summary, mimeType }: OwnPage): Operation {
  const names = [...path.matchAll(/{(\w+)}/g)].map(([, name = '']) => name);
  return {
    summary,
    security: [],
    parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }) as const),
    responses: { 200: { description: summary, content: { [mimeType]: {} } } },
  };
}

function describePost({ post, ...page }: OwnPage): Operation {
  const { takes, answers } = post ?? {};
  return {
    ...describePage(page),
    security: [{ bearer: [] }, {}],
    requestBody: { required: true, content: jsonOf(takes, 'input') },
    responses: {
      200: { description: page.summary, content: jsonOf(answers, 'output') },
      400: { $ref: '#/components/responses/Malformed' },
    },
  };
}

function jsonOf(schema: unknown, schemaType: 'input' | 'output') {
  return { 'application/json': { schema: convert(schema, { schemaType, isWhole: true })?.schema ?? {} } };
}

/**
 * Schemas as OpenAPI 3.1 has them; the default of `@nestjs/swagger` is 3.0's dialect whatever version is asked for. A
 * whole one is no reference to a component, but its members.
 */
function convert(given: unknown, { schemaType, isWhole }: { schemaType: 'input' | 'output'; isWhole: boolean }) {
  const written = writeSchema(given, schemaType);
  if (written === undefined) return undefined;
  const { $schema: _, $defs = {}, ...schema } = written;
  const components = $defs as Record<string, Record<string, unknown>>;
  const { $ref: reference } = schema;
  const own = isWhole && typeof reference === 'string' ? components[reference.split('/').at(-1) ?? ''] : undefined;
  return { schema: own ?? schema, components };
}

/** `SwaggerModule` wants the application and reads three things of it, all of which Nest injects. */
function asApplication({ modules, config, host }: ApplicationParts): INestApplication {
  const read = { container: { getModules: () => modules }, config, getHttpAdapter: () => host.httpAdapter };
  return read as unknown as INestApplication;
}
