import type { PricedTariff } from '@keyfare/core/metering';
import { describeAdmin } from '@keyfare/gate/admin-swagger';
import { RouteAudit, summarizeTariff } from '@keyfare/gate/services';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';

/** The gate's own pages: routes of Fastify, which Nest does not describe. */
const pages = {
  '/.well-known/jwks.json': 'The keys that receipts verify against (RFC 7517).',
  '/.well-known/did.json': 'The same keys as a did:web document.',
  '/receipts/{id}': 'A receipt as it was signed: a JWS in compact form.',
  '/problems/{room}/{code}': 'What a problem means, and what to do about it.',
};

/** Serves the OpenAPI document, written from the routes and their schemas, with the price of each on it. */
export function serveOpenApi(app: NestFastifyApplication): void {
  let document: OpenAPIObject | undefined;
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.get('/openapi.json', () => {
    document ??= describe(app);
    return document;
  });
}

/** The document. Prices are written as `x-payment-info`, which agents that pay by x402 look for. */
export function describe(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Keyfare API')
    .setVersion('0.1.0')
    .setDescription(
      'Call with an API key, or without one and pay by x402: the first answer then is a 402 with the price.',
    )
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key, or the operator token on /admin.' })
    .build();
  describeAdmin();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: operationId,
  });
  const handlers = app.get(RouteAudit).handlers();
  const tariffs = new Map(handlers.map(({ controller, method, tariff }) => [operationId(controller, method), tariff]));
  for (const path of Object.values(document.paths)) {
    for (const operation of [path.get, path.post]) {
      const tariff = operation?.operationId === undefined ? undefined : tariffs.get(operation.operationId);
      if (operation === undefined || tariff?.kind !== 'priced') continue;
      Object.assign(operation, {
        security: [{ bearer: [] }, {}],
        'x-payment-info': paymentInfo(tariff),
      });
      operation.responses['402'] = { description: 'Payment required: the price, for x402 versions 1 and 2.' };
    }
  }
  for (const [path, description] of Object.entries(pages)) {
    const names = [...path.matchAll(/{(\w+)}/g)].map(([, name = '']) => name);
    const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }) as const);
    document.paths[path] = { get: { parameters, responses: { 200: { description } } } };
  }
  return document;
}

/** A price of one product that is always the same, or the bounds of the price, and every product with its own. */
function paymentInfo(tariff: PricedTariff): object {
  const { price, products, choice } = summarizeTariff(tariff);
  const [product] = products;
  if (tariff.quote !== undefined && product !== undefined) {
    const { sku, units } = product;
    const fixed = { mode: 'fixed', currency: 'USD', amount: price.max };
    return { protocols: ['x402'], price: fixed, sku, units: units.max };
  }
  return { protocols: ['x402'], price: { mode: 'dynamic', currency: 'USD', ...price }, skus: products, choice };
}

function operationId(controller: string, method: string): string {
  return `${controller.replace(/Controller$/, '')}_${method}`;
}
