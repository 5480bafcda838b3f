import { getWarningsFor402Body } from '@agentcash/discovery';
import { fundedPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it, jest } from '@keyfare/jest-preset/globals';
import { ExactEvmScheme, toClientEvmSigner } from '@x402/evm';
import {
  type DiscoveryExtension,
  extractDiscoveryInfoV1,
  validateDiscoveryExtension,
  validateDiscoveryExtensionSpec,
} from '@x402/extensions/bazaar';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { createPublicClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';
import { type Api, type Ground, openAccount, openGround, startApi } from './api-process.js';

let ground: Ground;
let api: Api;

beforeAll(async () => {
  ground = await openGround();
  api = await startApi(ground);
}, 60_000);
afterAll(async () => {
  await api.service.stop();
  await ground.close();
}, 30_000);

interface Offer {
  readonly network: string;
  readonly asset: string;
  readonly payTo: string;
  readonly amount: string;
  readonly minAmount?: string;
}

interface Operation {
  readonly 'x-payment-info'?: {
    readonly price: Readonly<Record<string, string>>;
    readonly skus: readonly {
      readonly sku: string;
      readonly accepts: readonly { readonly amount: { min: string; max: string } }[];
    }[];
  };
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly example?: string }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: { readonly $ref: string } } };
  };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly example?: unknown }>> };
}

const read = async <T>(path: string): Promise<T> => (await (await fetch(`${api.url}${path}`)).json()) as T;

/** Every priced route of the document, with a request that is made of its examples. */
async function pricedRoutes() {
  const document = await read<Document>('/openapi.json');
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([name, operation]) => {
      const info = operation['x-payment-info'];
      if (info === undefined) return [];
      const query = operation.parameters.filter((one) => one.in === 'query' && one.example !== undefined);
      const search = new URLSearchParams(query.map((one): [string, string] => [one.name, one.example ?? '']));
      const reference = operation.requestBody?.content['application/json'].schema.$ref.split('/').at(-1) ?? '';
      const body = document.components.schemas[reference]?.example;
      const init: RequestInit = {
        method: name.toUpperCase(),
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      };
      return [{ path, url: `${api.url}${path}${search.size === 0 ? '' : `?${search.toString()}`}`, init, info }];
    }),
  );
}

/** The head as it stands on the wire, without the status line. */
function headOf(headers: Headers): string {
  return [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

describe('what the documents say of every priced route', () => {
  it('is what its 402 asks, in the bazaar, in /.well-known/x402 and in OpenAPI', async () => {
    const known = await read<{ resources: string[]; items: { resource: string; method: string; accepts: Offer[] }[] }>(
      '/.well-known/x402',
    );
    // The official validator says of each format that it does not judge it.
    jest.spyOn(console, 'warn').mockReturnValue();
    const routes = await pricedRoutes();
    expect(routes).toHaveLength(2);
    expect(known.resources.toSorted()).toEqual(routes.map(({ path }) => api.url + path).toSorted());
    for (const { path, url, init, info } of routes) {
      const response = await fetch(url, init);
      expect(response.status).toBe(402);
      // Common proxies take 4 kB.
      expect(headOf(response.headers).length).toBeLessThan(3_900);
      expect(response.headers.get('link')).toContain('</openapi.json>; rel="service-desc"');
      const challenge = JSON.parse(
        Buffer.from(response.headers.get('payment-required') ?? '', 'base64').toString(),
      ) as { accepts: Offer[]; extensions: { bazaar: DiscoveryExtension } };
      const { bazaar } = challenge.extensions;
      expect(validateDiscoveryExtension(bazaar)).toEqual({ valid: true });
      expect(validateDiscoveryExtensionSpec(bazaar as never)).toEqual({ valid: true });
      expect(getWarningsFor402Body(challenge).filter(({ severity }) => severity === 'error')).toEqual([]);
      const { accepts } = (await response.json()) as { accepts: Parameters<typeof extractDiscoveryInfoV1>[0][] };
      expect(extractDiscoveryInfoV1(accepts[0] as never)).toMatchObject({ input: { method: init.method } });
      const [offer] = challenge.accepts;
      const item = known.items.find((one) => one.resource === api.url + path && one.method === init.method);
      expect(item?.accepts[0]).toMatchObject({ network: offer?.network, asset: offer?.asset, payTo: ground.payTo });
      const listed = item?.accepts.map(({ minAmount, amount }) => ({ min: minAmount ?? amount, max: amount }));
      expect(listed).toEqual(info.skus.flatMap((sku) => sku.accepts.map(({ amount }) => amount)));
      const bounds = info.skus.flatMap((sku) => sku.accepts.map(({ amount }) => amount));
      expect(
        bounds.some(
          ({ min, max }) => BigInt(offer?.amount ?? 0) >= BigInt(min) && BigInt(offer?.amount ?? 0) <= BigInt(max),
        ),
      ).toBe(true);
    }
  });

  it('leads an official client to pay that price and a key to be counted for it, by nothing but the examples', async () => {
    const payer = await fundedPayer(ground.chain, 1);
    const chain = createPublicClient({ chain: baseSepolia, transport: http(ground.chain.rpcUrl) });
    const client = new x402Client().register('eip155:*', new ExactEvmScheme(toClientEvmSigner(payer.account, chain)));
    const { secret } = await openAccount(ground, api, { includedUnits: 100, overage: 'reject' });
    for (const { url, init } of await pricedRoutes()) {
      const asked = JSON.parse(
        Buffer.from((await fetch(url, init)).headers.get('payment-required') ?? '', 'base64').toString(),
      ) as { accepts: Offer[] };
      const before = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
      const paid = await wrapFetchWithPayment(fetch, client)(url, init);
      expect([url, paid.status]).toEqual([url, 200]);
      const taken = (await usdcBalance(ground.chain.rpcUrl, ground.payTo)) - before;
      expect(taken).toBe(BigInt(asked.accepts[0]?.amount ?? 0));
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${secret}`);
      const byKey = await fetch(url, { ...init, headers });
      expect([url, byKey.status]).toEqual([url, 200]);
    }
  }, 60_000);

  it('stands in /llms.txt too, with a link to each route', async () => {
    const response = await fetch(`${api.url}/llms.txt`);
    const text = await response.text();
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(text).toMatch(/^# Keyfare API\n\n> /);
    for (const { path, init, info } of await pricedRoutes()) {
      expect(text).toContain(`[${String(init.method)} ${path}](${api.url}${path}): `);
      expect(text).toContain(`$${info.price['min'] ?? ''} to $${info.price['max'] ?? ''}`);
    }
  });

  it('is not sent again to who has it', async () => {
    for (const path of ['/openapi.json', '/.well-known/x402', '/llms.txt']) {
      const first = await fetch(`${api.url}${path}`);
      const again = await fetch(`${api.url}${path}`, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
      expect([path, first.status, again.status, await again.text()]).toEqual([path, 200, 304, '']);
      expect(again.headers.get('cache-control')).toBe('public, max-age=300');
    }
  });
});
