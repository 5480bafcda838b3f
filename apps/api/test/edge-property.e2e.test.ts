import { randomBytes } from 'node:crypto';
import {
  type EdgeRequest,
  type EdgeRoute,
  edgeRequests,
  faultOf,
  type Plausible,
  routesOf,
  sendEdge,
} from '@keyfare/fixtures/edge-values';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { type Api, type Ground, openAccount, openGround, operatorToken, startApi } from './api-process.js';
import { operating } from './operating.js';

let ground: Ground;
let api: Api;
let token: string;
let key: string;
let routes: readonly EdgeRoute[];
let plausible: Plausible;

beforeAll(async () => {
  ground = await openGround();
  api = await startApi(ground, { LOG_LEVEL: 'error' });
  token = await operatorToken(ground, api);
  const call = operating(api.url, token);
  const account = await openAccount(ground, api, { includedUnits: 1_000_000, overage: 'reject' });
  await openAccount(ground, api, { includedUnits: 1_000_000, overage: 'reject' });
  key = account.secret;
  // So that what is plausible can succeed, too.
  await call('POST', '/admin/plans', { body: { slug: 'edge', includedUnits: 1, overage: 'reject' } });
  // Keys of its own for the routes that end keys and accounts, so that the one that calls stays good.
  const other = await openAccount(ground, api, { includedUnits: 1, overage: 'reject' });
  const operator = await call('POST', '/admin/operators', { body: { name: 'edge', scopes: ['read'] } });
  const lists = ['/admin/accounts', '/admin/plans', '/admin/operators', '/admin/audit'];
  const cursors = await Promise.all(
    lists.map(async (path) => {
      const next = (await call('GET', `${path}?limit=1`)).body['next'] as string | null;
      if (next === null) throw new Error(`${path} has one page only`);
      return [`${path} cursor`, [next]] as const;
    }),
  );
  routes = routesOf((await call('GET', '/openapi.json')).body);
  plausible = new Map(
    Object.entries<readonly unknown[]>({
      id: [other.account, other.keyId, (operator.body['operator'] as { id: string }).id, randomUuid()],
      room: ['payment'],
      code: ['required'],
      name: ['Acme'],
      slug: ['edge'],
      plan: ['edge', { slug: 'edge', version: 1 }],
      includedUnits: [0, 10],
      overage: ['reject', 'invoice', 'x402'],
      overagePrice: ['$0.5', undefined],
      monthlyPrice: ['$1'],
      status: ['active', 'suspended'],
      endsAt: ['2999-01-01T00:00:00Z', null],
      expiresAt: ['2999-01-01T00:00:00Z'],
      scopes: [['read'], ['forecast'], []],
      graceSeconds: [0, 60],
      month: ['2026-11'],
      limit: ['1', '200'],
      ...Object.fromEntries(cursors),
      search: ['Test'],
      state: ['claimed', 'failed'],
      payer: [`0x${'a'.repeat(40)}`],
      from: ['2026-01-01T00:00:00Z', { latitude: 1, longitude: 2 }],
      to: ['2999-01-01T00:00:00Z', [{ latitude: 1, longitude: 2 }]],
      latitude: ['52.5'],
      longitude: ['13.4'],
      date: ['2026-11-21'],
      operator: ['op_1'],
      subject: [other.account],
      action: ['account.open'],
      'if-match': ['*'],
    }),
  );
}, 60_000);
afterAll(async () => {
  await api.service.stop();
  await ground.close();
}, 30_000);

function randomUuid(): string {
  return `01a219dd-9e88-7ccb-b971-${randomBytes(6).toString('hex')}`;
}

// `npm run soak` sends more of it.
const times = process.env['KEYFARE_SOAK'] === '1' ? 2 : 1;

describe('whatever is sent to a route that the API document lists', () => {
  it.each(['an operator', 'a customer', 'a stranger'])(
    'by %s, is answered without a fault of ours, and the API answers a good request afterwards',
    async (who) => {
      expect(routes.length).toBeGreaterThanOrEqual(20);
      const headers: Record<string, string> =
        who === 'an operator' ? { authorization: `Bearer ${token}` } : who === 'a customer' ? { 'x-api-key': key } : {};
      const seen = new Map<number, number>();
      for (const route of routes) {
        await fc.assert(
          fc.asyncProperty(edgeRequests(route, plausible), async (request: EdgeRequest) => {
            const answer = await sendEdge(api.url, request, headers);
            seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
            expect(faultOf(answer)).toBeNull();
          }),
          { numRuns: (who === 'an operator' ? 40 : 15) * times, endOnFailure: true },
        );
        const good = await fetch(`${api.url}/v1/usage`, { headers: { 'x-api-key': key } });
        expect([route.path, good.status]).toEqual([route.path, 200]);
      }
      // The odd part is seen by what is behind the edge too.
      for (const status of who === 'an operator' ? [200, 400, 404, 413, 415] : [400, 404]) {
        expect([status, (seen.get(status) ?? 0) > 0]).toEqual([status, true]);
      }
    },
    480_000,
  );
});
