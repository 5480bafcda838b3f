import { paymentHeaderV1, paymentHeaderV2, usdcRequirements } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Header, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { tariffFaultsOf } from '../src/route-tariff.js';
import { Priced } from '../src/tariff.js';
import { exchange, expectReadableProblem, requestHead } from './edge-under-test.js';
import { TestController } from './gate-under-test.js';
import { call, decodeHeader, signPayment, verifiedReceipt } from './requests.js';
import {
  expectCharged,
  expectFree,
  expectProblem,
  type HostUnderTest,
  openHost,
  rails,
  wire,
} from './way-out-under-test.js';

@Controller()
class DiscoveryController {
  @Priced({ sku: 'report', price: '$0.001' })
  @Header('Content-Type', 'application/pdf')
  @Get('report')
  below(): string {
    return '%PDF';
  }

  @Header('content-type', 'text/csv; charset=utf-8')
  @Priced({ sku: 'table', price: '$0.001' })
  @Get('table')
  above(): string {
    return 'a,b';
  }

  @Priced({ sku: 'image', price: '$0.001', mimeType: 'image/png' })
  @Post('image')
  @HttpCode(200)
  named(): string {
    return 'png';
  }

  @Priced({ sku: 'socket', price: '$0.001' })
  @Get('socket/:how')
  async socket(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { socket } = reply.request.raw;
    const how = (reply.request.params as { how: string }).how;
    const stolen = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen';
    if (how === 'writes') socket.write(stolen);
    if (how === 'ends') socket.end(stolen);
    if (how === 'responds') reply.raw.socket?.write(stolen);
    if (how === 'pipes')
      await new Response(stolen).body?.pipeTo(new WritableStream({ write: (chunk) => void socket.write(chunk) }));
    return { answer: 'by the way' };
  }
}

const bodies: readonly (readonly [string, Record<string, string>, string])[] = [
  ['an empty one of JSON', { 'content-type': 'application/json' }, ''],
  ['broken JSON', { 'content-type': 'application/json' }, '{"text":'],
  ['JSON that does not fit', { 'content-type': 'application/json' }, '{"text":5}'],
  ['a form in parts', { 'content-type': 'multipart/form-data; boundary=x' }, '--x\r\n\r\n--x--'],
  ['a type that nobody reads', { 'content-type': 'application/xml' }, '<a/>'],
  ['no type at all', { 'content-type': ';;' }, 'a'],
  ['too large a one', { 'content-type': 'application/json' }, JSON.stringify({ text: 'x'.repeat(1_100_000) })],
];

describe('the price of a route', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({ controllers: [TestController, DiscoveryController], env: { CORS_ORIGINS: '*' } });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  const offered = (answer: { headers: Headers }): readonly Record<string, unknown>[] =>
    decodeHeader(answer.headers, 'payment-required')['accepts'] as Record<string, unknown>[];
  const withoutInstance = (body: Buffer): object => {
    const { instance, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>;
    expect(instance).toMatch(/^urn:uuid:/);
    return rest;
  };

  it.each(bodies)('is told to whoever shows no credential, whatever the body is: %s', async (_what, headers, body) => {
    const init = { method: 'POST', body, headers };
    const answer = await wire(host.gate, '/echo', init);
    await expectProblem(host.gate, answer, 'payment/required');
    expect(offered(answer)).toMatchObject([{ amount: '2000' }]);
    // The same offers as the guard's, with a credential that is for somebody else.
    const usual = await wire(host.gate, '/echo', { method: 'POST', headers: { authorization: 'Basic dXNlcjpwYXNz' } });
    expect(usual.headers.get('payment-required')).toBe(answer.headers.get('payment-required'));
    expect(withoutInstance(answer.body)).toEqual(withoutInstance(usual.body));
  });

  it('is told before the body has come, and to a GET with one', async () => {
    const head = requestHead('POST /echo', ['Content-Type: application/json', 'Content-Length: 9999999']);
    expectReadableProblem(await exchange(host.gate, head), 'payment/required');
    const get = requestHead('GET /ping', ['Content-Length: 2']);
    expectReadableProblem(await exchange(host.gate, `${get}{}`), 'payment/required');
  });

  it('is the same from the hook and from the guard', async () => {
    const hook = await wire(host.gate, '/image', { method: 'POST' });
    const guard = await wire(host.gate, '/report');
    const shape = ({ headers, body }: typeof hook) => [
      [...headers.keys()].toSorted(),
      Object.keys(withoutInstance(body)).toSorted(),
    ];
    expect(shape(hook)).toEqual(shape(guard));
  });

  describe.each(rails)('with a credential of the rail %s', (rail) => {
    it.each([
      [0, 400, 'request/malformed'],
      [1, 400, 'request/malformed'],
      [4, 415, 'request/unsupported-media-type'],
      [5, 415, 'request/unsupported-media-type'],
      [6, 413, 'request/too-large'],
    ])('a body that cannot be read (%i) is %i and costs nothing', async (index, status, code) => {
      const [, headers, body] = bodies[index] ?? bodies[0] ?? ['', {}, ''];
      const before = await host.charges();
      const credential = await host.credential(rail);
      const init = { method: 'POST', body, headers: { ...credential.headers, ...headers } };
      const answer = await wire(host.gate, '/echo', init);
      expect(answer.status).toBe(status);
      await expectProblem(host.gate, answer, code);
      expect(answer.headers.has('payment-required')).toBe(false);
      await expectCharged(host, before, 'nothing');
      if (credential.nonce !== undefined) await expectFree(host, credential.nonce);
    });

    it.each(['writes', 'ends', 'responds', 'pipes'])(
      'a handler that %s its bytes to the socket is refused uncharged, and none of them leave',
      async (how) => {
        const before = await host.charges();
        const { headers, nonce } = await host.credential(rail);
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
        const answer = await exchange(host.gate, requestHead(`GET /socket/${how}`, lines));
        expectReadableProblem(answer, 'answer/unsendable');
        expect(answer.body).not.toContain('stolen');
        await expectCharged(host, before, 'nothing');
        if (nonce !== undefined) await expectFree(host, nonce);
      },
    );
  });

  it.each([
    ['/report', 'GET', 'application/pdf'],
    ['/table', 'GET', 'text/csv; charset=utf-8'],
    ['/image', 'POST', 'image/png'],
    ['/ping', 'GET', 'application/json'],
  ])('names the media type of %s in both versions', async (path, method, mimeType) => {
    const answer = await call(host.gate, path, { method });
    expect(decodeHeader(answer.headers, 'payment-required')['resource']).toMatchObject({ mimeType });
    expect(answer.body['accepts']).toMatchObject([{ mimeType }]);
  });

  it.each(['json', 'a/b/c', 'text/plain\r\nx: y', '/'])(
    'does not start with a media type that is none: %j',
    (mimeType) => {
      class Odd {
        @Priced({ sku: 'x', price: '$1', mimeType })
        get(): null {
          return null;
        }
      }
      expect(tariffFaultsOf(Object.getOwnPropertyDescriptor(Odd.prototype, 'get')?.value as object)).toEqual([
        `"${mimeType}" is no media type`,
      ]);
    },
  );

  it.each([
    ['v2', 'v1'],
    ['v1', 'v2'],
  ] as const)(
    'that was paid in %s and is asked for in %s: both headers say how the payment ended',
    async (first, then) => {
      const { payload, nonce } = await signPayment(host.ground, host.payer);
      const accepted = usdcRequirements(host.ground.payTo, 1_000n);
      const owner = { 'idempotency-key': nonce };
      const headers = {
        v1: { 'x-payment': paymentHeaderV1({ payload }), ...owner },
        v2: { 'payment-signature': paymentHeaderV2({ payload, accepted }), ...owner },
      };
      const paid = await call(host.gate, '/ping', { headers: headers[first] });
      const again = await call(host.gate, '/ping', { headers: headers[then] });
      const names = { v1: 'x-payment-response', v2: 'payment-response' } as const;
      expect([paid.status, paid.headers.has(names[then])]).toEqual([200, false]);
      expect([again.status, again.headers.get('idempotent-replay'), again.body]).toEqual([200, 'true', paid.body]);
      expect(again.headers.get(names[first])).toBe(paid.headers.get(names[first]));
      const { transaction } = decodeHeader(paid.headers, names[first]);
      expect(decodeHeader(again.headers, names.v1)).toMatchObject({
        success: true,
        transaction,
        network: 'base-sepolia',
      });
      expect(decodeHeader(again.headers, names.v2)).toMatchObject({
        success: true,
        transaction,
        network: 'eip155:84532',
      });
      expect((await verifiedReceipt(host.gate, again)).id).toBe((await verifiedReceipt(host.gate, paid)).id);
      // In the version that it was paid in, as before.
      expect((await call(host.gate, '/ping', { headers: headers[first] })).headers.has(names[then])).toBe(false);
    },
  );
});
