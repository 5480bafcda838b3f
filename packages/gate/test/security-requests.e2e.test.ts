import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Header, Param, Post, Req, Res, Sse } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Observable, of } from 'rxjs';
import { Free, Priced } from '../src/tariff.js';
import { exchange, requestHead } from './edge-under-test.js';
import { TestController } from './gate-under-test.js';
import { call, decodeHeader, rows, signPayment, verifiedReceipt, withKey } from './requests.js';
import { expectCharged, expectProblem, type HostUnderTest, openHost, rails, wire } from './way-out-under-test.js';

@Controller()
class HostileController {
  @Priced({ sku: 'reflects', price: '$0.001' })
  @Get('reflects/:value')
  reflects(@Param('value') value: string, @Res({ passthrough: true }) reply: FastifyReply): object {
    void reply.header('x-mine', value);
    return { reflected: true };
  }

  @Free()
  @Sse('events/:value')
  events(@Param('value') value: string): Observable<object> {
    return of({ id: value, type: value, data: value });
  }

  @Priced({ sku: 'any-body', price: '$0.001' })
  @Header('content-type', 'application/json')
  @Post('any-body')
  anyBody(@Req() request: FastifyRequest): object {
    return { polluted: ({} as Record<string, unknown>)['polluted'] ?? null, read: request.body !== undefined };
  }
}

describe('security: requests', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({ controllers: [TestController, HostileController], env: { CORS_ORIGINS: '*' } });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  /** POST /echo, by key, with a type and a body as they are. */
  const post = async (type: string, body: string, path = '/echo') => {
    const headers = [
      `Authorization: Bearer ${host.secret}`,
      `Content-Type:${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    return exchange(host.gate, `${requestHead(`POST ${path}`, headers)}${body}`);
  };

  it.each([
    ['GHSA-mg2h-6x62-wpwc, CVE-2025-32442: letters of another case', ' APPLICATION/JSON'],
    ['GHSA-mg2h-6x62-wpwc, CVE-2025-32442: a space before the semicolon', ' application/json ; charset=utf-8'],
    ['GHSA-jx2c-rxcm-jvmq, CVE-2026-25223: a tab before the semicolon', ' application/json\t; charset=utf-8'],
    ['GHSA-jx2c-rxcm-jvmq, CVE-2026-25223: a tab and no more', ' application/json\ta'],
    ['CVE-2026-33806: spaces before the type', '    application/json'],
    ['CVE-2026-33806: a tab before the type', '\tapplication/json'],
    ['GHSA-573f-x89g-hqp9, CVE-2026-3419: rubbish behind the type', ' application/json garbage'],
    ['GHSA-573f-x89g-hqp9, CVE-2026-3419: a second type', ' application/json, text/plain'],
    ['a bare semicolon', ' application/json;'],
    ['nothing but a semicolon', ' ;'],
    ['two semicolons', ' application/json;;charset=utf-8'],
    ['nothing', ''],
  ])('%s: a body of that content type never passes by its schema, and costs nothing', async (_what, type) => {
    const before = await host.charges();
    for (const body of [
      '{"text":5}',
      '{"text":{"$gt":""}}',
      '[{"text":"x"}]',
      JSON.stringify({ text: 'x'.repeat(101) }),
    ]) {
      const { status } = await post(type, body);
      expect([400, 415]).toContain(status);
    }
    await expectCharged(host, before, 'nothing');
  });

  it('and a good body of an ordinary type is served: the tests above can fail', async () => {
    const { status, body } = await post(' application/json; charset=utf-8', '{"text":"x"}');
    expect([status, JSON.parse(body)]).toEqual([200, { text: 'x' }]);
  });

  const forged = [
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: gopher',
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-Port: 666',
    'X-Forwarded-Prefix: /free',
    'X-Original-URL: /free',
    'X-Rewrite-URL: /free',
    'X-HTTP-Method-Override: OPTIONS',
    'Forwarded: for=1.2.3.4;host=evil.example;proto=gopher',
  ];
  const forgedHead = (headers: readonly string[] = [], hostName = 'evil.example/free?') =>
    ['GET /ping?a=1 HTTP/1.1', `Host: ${hostName}`, ...forged, 'Connection: close', ...headers, '\r\n'].join('\r\n');

  it.each(['evil.example', 'evil.example/free?', 'x@evil.example', '[::1]:1', '', 'free', '/free'])(
    'CVE-2026-49468 (LiteLLM), CVE-2026-3635 (Fastify): a forged Host (%j) and X-Forwarded-* are in no offer and change no route',
    async (hostName) => {
      const answer = await exchange(host.gate, forgedHead([], hostName));
      expect(answer.status).toBe(402);
      const offer = decodeHeader(answer.headers, 'payment-required');
      expect(offer['resource']).toMatchObject({ url: 'http://api.test/ping?a=1' });
      expect(JSON.stringify([offer, JSON.parse(answer.body)])).not.toMatch(/evil|gopher|1\.2\.3\.4|:666\b/);
    },
  );

  it('CVE-2026-49468, CVE-2026-3635: they are in no receipt, on neither rail, and in no fingerprint of a payment', async () => {
    const { v2 } = await signPayment(host.ground, host.payer);
    const lines = Object.entries(v2).map(([name, value]) => `${name}: ${value}`);
    const byKey = await exchange(host.gate, forgedHead([`Authorization: Bearer ${host.secret}`]));
    const paid = await exchange(host.gate, forgedHead(lines));
    for (const { status, headers } of [byKey, paid]) {
      const receipt = await verifiedReceipt(host.gate, { status, headers, body: {} });
      expect([status, receipt.resourceUrl]).toEqual([200, 'http://api.test/ping?a=1']);
      expect(JSON.stringify(receipt)).not.toMatch(/evil|gopher/);
    }
    // The same request under its true name, and another one under the forged name of the first.
    const again = await call(host.gate, '/ping?a=1', { headers: v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    const other = await call(host.gate, '/ping?a=2', { headers: { ...v2, 'x-original-url': '/ping?a=1' } });
    expect([other.status, other.body['code']]).toEqual([402, 'payment/replayed']);
  });

  const sql = `' OR 1=1; update keyfare.api_key set revoked_at = null; drop table keyfare.entry; --`;

  it('GHSA-r75f-5x8p-qvmc, CVE-2026-42208 (LiteLLM): SQL in a token, a key, an id or a name is text, if it is anything', async () => {
    const state = async () =>
      rows(
        host.ground.database.url,
        'select (select count(*) from keyfare.entry)::int, (select count(*) from keyfare.api_key)::int',
      );
    const before = await state();
    const id = host.secret.split('_')[2] ?? '';
    for (const token of [
      sql,
      `kf_test_${sql}`,
      host.secret.replace(id, sql),
      `${host.secret}${sql}`,
      `${host.secret}'--`,
    ]) {
      for (const headers of [{ authorization: `Bearer ${token}` }, { 'x-api-key': token }]) {
        const answer = await call(host.gate, '/ping', { headers });
        expect([answer.status, answer.body['code']]).toEqual([401, 'credential/malformed']);
      }
    }
    expect((await call(host.gate, `/receipts/${encodeURIComponent(sql)}`)).status).toBe(404);
    expect(await state()).toEqual(before);
    const { v2 } = await signPayment(host.ground, host.payer);
    const paid = { headers: { ...v2, 'idempotency-key': sql } };
    expect((await call(host.gate, '/ping', paid)).status).toBe(200);
    expect((await call(host.gate, '/ping', paid)).headers.get('idempotent-replay')).toBe('true');
    const stranger = { headers: { ...v2, 'idempotency-key': `x' OR '1'='1` } };
    expect((await call(host.gate, '/ping', stranger)).body['code']).toBe('payment/served');
  });

  it('GHSA-99h5-pjcv-gr6v, CVE-2025-61928 (better-auth): nobody becomes an account by naming it', async () => {
    const victim = await host.gate.issueKey();
    const { accountId, id: keyId } = victim.key;
    const names = { account: accountId, accountId, userId: accountId, principal: accountId, keyId };
    const headers = {
      'content-type': 'application/json',
      'x-account-id': accountId,
      'x-user-id': accountId,
      cookie: `account=${accountId}`,
    };
    const query = new URLSearchParams(names).toString();
    const body = JSON.stringify({ text: 'x', ...names });
    const stranger = await call(host.gate, `/echo?${query}`, { method: 'POST', body, headers });
    expect([stranger.status, stranger.body['code']]).toEqual([402, 'payment/required']);
    const other = { ...headers, authorization: `Bearer ${host.secret}` };
    const answer = await call(host.gate, `/echo?${query}`, { method: 'POST', body, headers: other });
    expect([answer.status, (await verifiedReceipt(host.gate, answer)).principal === accountId]).toEqual([200, false]);
    expect(
      await rows(host.ground.database.url, `select 1 from keyfare.entry where kind = 'call' and principal = $1`, [
        accountId,
      ]),
    ).toEqual([]);
  });

  it.each(['.*', 'p.ng', '^ping$', '(p+)+ing', 'PING', 'ping ', '*', 'pin', 'ping|other', ''])(
    'GHSA-cjw9-ghj4-fwxf, CVE-2026-35041 (fast-jwt): a scope is a text and no pattern: %j opens nothing',
    async (scope) => {
      const { secret } = await host.gate.issueKey({ scopes: [scope] });
      const answer = await call(host.gate, '/ping', withKey(secret));
      expect([answer.status, answer.body['code']]).toEqual([403, 'policy/forbidden']);
    },
  );

  it.each(rails)('CR and LF in a header that a handler sets split no answer, and by %s cost nothing', async (rail) => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const evil = '/reflects/a%0d%0aSet-Cookie:%20stolen=1%0d%0a%0d%0aHTTP/1.1%20200%20OK';
    const answer = await exchange(host.gate, requestHead(`GET ${evil.replaceAll('HTTP/', 'HTTP%2f')}`, lines));
    expect([answer.status, answer.headers.has('set-cookie')]).toEqual([500, false]);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'answer/unsendable' });
    await expectCharged(host, before, 'nothing');
  });

  it('GHSA-36xv-jgw5-4q75, CVE-2026-35515 (Nest): CR and LF in an event start no other event', async () => {
    const evil = encodeURIComponent('a\r\nevent: forged\ndata: forged\n\nevent: second');
    const { body } = await wire(host.gate, `/events/${evil}`, { headers: { accept: 'text/event-stream' } });
    const fields = body.toString().split(/\r\n|\r|\n/);
    expect(fields.filter((line) => line.startsWith('event:')).length).toBeLessThanOrEqual(1);
    expect(fields.filter((line) => /^event: ?forged$/.test(line))).toEqual([]);
    expect(fields.filter((line) => line.startsWith('id:')).length).toBeLessThanOrEqual(1);
    const plain = await wire(host.gate, '/events/plain', { headers: { accept: 'text/event-stream' } });
    expect(plain.body.toString()).toMatch(/event: plain/);
  });

  it.each([
    ['arrays', (depth: number) => '['.repeat(depth) + ']'.repeat(depth)],
    ['objects', (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)],
    ['arrays that do not end', (depth: number) => '['.repeat(depth)],
  ])('CVE-2025-59466 (Node): deep JSON of %s is refused, and the process goes on', async (_what, nest) => {
    const before = await host.charges();
    for (const depth of [5_000, 150_000]) {
      const json = nest(depth);
      for (const body of [json, `{"text":${json}}`]) expect((await post(' application/json', body)).status).toBe(400);
      const header = Buffer.from(`{"x402Version":2,"payload":${nest(1_000)}}`).toString('base64');
      const presented = await call(host.gate, '/ping', { headers: { 'payment-signature': header } });
      expect([presented.status, presented.body['code']]).toEqual([400, 'payment/malformed']);
    }
    await expectCharged(host, before, 'nothing');
    expect((await wire(host.gate, '/free')).status).toBe(200);
  });

  it.each([
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"__proto__":{"polluted":1}}}',
  ])('members that are an object’s own machinery change no other object: %s', async (body) => {
    await post(' application/json', body, '/any-body');
    const { body: after } = await post(' application/json', '{}', '/any-body');
    expect(JSON.parse(after)).toEqual({ polluted: null, read: true });
  });

  it('a problem says nothing of what was sent', async () => {
    const answer = await wire(host.gate, `/nowhere?secret-query`, { headers: { 'x-secret': 'secret-header' } });
    await expectProblem(host.gate, answer, 'request/not-found');
    expect(answer.body.toString()).not.toContain('secret');
  });
});
