import {
  checkEndpointSchema,
  checkL2ForOpenAPI,
  discoverOriginSchema,
  getL3ForOpenAPI,
  getOpenAPI,
  getWarningsForL2,
  getWarningsForL3,
  getWarningsForOpenAPI,
} from '@agentcash/discovery';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { type Api, type Ground, openGround, startApi } from './api-process.js';

let ground: Ground;
let api: Api;

beforeAll(async () => {
  ground = await openGround();
  api = await startApi(ground, { CONTACT_EMAIL: 'team@api.test' });
}, 60_000);
afterAll(async () => {
  await api.service.stop();
  await ground.close();
}, 30_000);

const sold = [
  { method: 'GET', path: '/v1/forecast', price: '0.001000-0.004000 USD' },
  { method: 'POST', path: '/v1/distances', price: '0.002000-0.020000 USD' },
] as const;

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Record<string, object>;
    const validator = new Validator();
    const result = await validator.validate(document);
    expect(result).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    // The validator is not asleep.
    expect((await new Validator().validate({ ...document, paths: { '/v1': { get: 1 } } })).valid).toBe(false);
  });

  it('has the routes of customers and operators, what both are held to, and an example of each parameter', async () => {
    const { paths } = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, Record<string, unknown>>>;
    };
    const forecast = paths['/v1/forecast']?.['get'];
    expect(forecast).toMatchObject({
      security: [{ bearer: [] }, {}],
      'x-payment-info': {
        price: { mode: 'dynamic', currency: 'USD', min: '0.001000', max: '0.004000' },
        protocols: [{ x402: {} }],
        skus: [
          { sku: 'forecast', price: { max: '0.001000' }, units: { max: '1' }, accepts: [{ payTo: ground.payTo }] },
          {
            sku: 'forecast.hourly',
            price: { max: '0.004000' },
            units: { max: '4' },
            accepts: [{ payTo: ground.payTo }],
          },
        ],
        choice: { in: 'query', name: 'granularity', absent: 'forecast' },
      },
      parameters: [
        { name: 'latitude', in: 'query', required: true, example: '52.52' },
        { name: 'longitude', in: 'query', required: true, example: '13.4' },
        { name: 'date', in: 'query', required: true, example: '2026-11-21' },
        { name: 'granularity', in: 'query', required: false, schema: { enum: ['daily', 'hourly'] } },
      ],
    });
    expect(Object.keys(forecast?.['responses'] ?? {})).toEqual(
      expect.arrayContaining(['200', '400', '401', '402', '403', '409', '429', '503']),
    );
    expect(paths['/v1/distances']?.['post']).toHaveProperty('requestBody');
    expect(paths['/v1/usage']?.['get']).not.toHaveProperty('x-payment-info');
    expect(paths['/receipts/{id}']?.['get']).toMatchObject({
      security: [],
      parameters: [{ name: 'id', in: 'path', required: true }],
    });
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/admin/plans', '/.well-known/jwks.json']));
  });

  it('gives a public crawler nothing to complain of at a priced route or of the service, and says who to write to', async () => {
    const found = await getOpenAPI(api.url);
    const document = found._unsafeUnwrap();
    if (document === null || 'parseFailure' in document) throw new Error('the crawler cannot read the document');
    const all = checkL2ForOpenAPI(document);
    const routes = getWarningsForL2({
      ...all,
      routes: all.routes.filter(({ path, method }) => sold.some((own) => own.path === path && own.method === method)),
    });
    const details = sold.flatMap(({ path, method }) => {
      const detail = getL3ForOpenAPI(document, path, method);
      return detail === null ? [{ code: `no ${path}` }] : getWarningsForL3(detail);
    });
    const codes = [...getWarningsForOpenAPI(document), ...routes, ...details].map(({ code }) => code);
    expect(codes).toEqual([]);
    expect(document.info.contactEmail).toBe('team@api.test');
  });

  it('shows a public crawler price, protocol and inputs of every priced route', async () => {
    const found = await discoverOriginSchema({ target: api.url });
    if (!found.found) throw new Error(found.cause);
    const paid = found.endpoints.filter(({ authMode }) => authMode === 'paid');
    expect(paid.map(({ method, path, price }) => ({ method, path, price }))).toEqual(
      expect.arrayContaining(sold.map((route) => expect.objectContaining(route))),
    );
    expect(paid).toHaveLength(sold.length);
    for (const { method, path } of paid) {
      const checked = await checkEndpointSchema({ url: `${api.url}${path}` });
      if (!checked.found) throw new Error(checked.cause);
      const advisory = checked.advisories.find((one) => one.method === method);
      expect(advisory).toMatchObject({
        protocols: ['x402'],
        inputSchema: expect.any(Object),
        outputSchema: expect.any(Object),
      });
    }
  });
});
