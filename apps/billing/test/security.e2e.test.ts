import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let service: Service;
beforeAll(async () => {
  world = await openWorld();
  // No chain answers: nothing here asks for one.
  service = await startService(world, { RPC_URL: 'http://127.0.0.1:9' });
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

const routes: readonly (readonly [string, string])[] = [
  ['GET', '/invoices'],
  ['POST', '/invoices'],
  ['GET', '/invoices/x'],
  ['GET', '/invoices/x/payments'],
  ['GET', '/sellers'],
  ['POST', '/sellers'],
  ['GET', '/customers'],
  ['POST', '/customers'],
  ['GET', '/contracts'],
  ['POST', '/contracts'],
  ['GET', '/tax-rates'],
  ['POST', '/tax-rates'],
  ['PATCH', '/customers/x'],
  ['GET', '/breaks'],
  ['GET', '/entries/x'],
  ['GET', '/status'],
  ['POST', '/jobs/x/run'],
  ['GET', '/me'],
  ['GET', '/me/receipts'],
  ['DELETE', '/me/session'],
  ['PATCH', '/breaks/x'],
  ['POST', '/reconciliations'],
  ['GET', '/reconciliations'],
  ['GET', '/reconciliations/x'],
  ['POST', '/reconciliations/x/cancel'],
  ['GET', '/reports/revenue'],
  ['GET', '/reports/revenue.csv'],
];

/** The bytes of one answer. */
async function send(bytes: string): Promise<string> {
  const { port, hostname } = new URL(service.url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

const get = (target: string, headers: readonly string[] = ['Host: billing.test']) =>
  `GET ${target} HTTP/1.1\r\n${[...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`;

function lines(since: number): readonly Record<string, unknown>[] {
  return service.lines
    .slice(since)
    .flatMap((text) => text.split('\n').filter((line) => line !== ''))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === 'exchange');
}

describe('security: the books over HTTP', () => {
  it.each([
    ['a bad escape', get('/breaks/%ff'), 400, 'request/malformed'],
    ['NUL', get('/breaks/a%00'), 400, 'request/malformed'],
    ['a part that is too long', get(`/breaks/${'x'.repeat(300)}`), 414, 'request/uri-too-long'],
    ['the absolute form', get('http://evil.example/breaks'), 400, 'request/malformed'],
    ['no Host', get('/breaks', []), 400, 'request/malformed'],
    ['no HTTP', 'HELLO\r\n\r\n', 400, 'request/malformed'],
    [
      'a head that is too large',
      get('/breaks', ['Host: x', `X: ${'x'.repeat(20_000)}`]),
      431,
      'request/header-too-large',
    ],
    ['a tunnel', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'request/malformed'],
    ['an address that is not there', get('/nowhere'), 404, 'request/not-found'],
    ['a stranger', get('/breaks'), 401, 'operator/unauthorized'],
  ])('answers %s with a problem and one access line', async (_what, bytes, status, code) => {
    const since = service.lines.length;
    const answer = await send(bytes);
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { instance: string };
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*content-type: application/problem\\+json`, 'i'));
    expect(problem).toMatchObject({ status, code, type: `/problems/${code}` });
    expect(await settled(async () => lines(since).length, 1)).toBe(1);
    const [line] = lines(since);
    expect(line).toMatchObject({ status, problem: code, rail: 'none' });
    expect(problem.instance).toBe(`urn:uuid:${String(line?.['exchange'])}`);
  });

  it.each(routes)(
    'CVE-2025-69211 (Nest), CVE-2026-22031, CVE-2026-33804 (middie): no spelling of %s %s lets a stranger in',
    async (method, path) => {
      const [, first = ''] = path.split('/');
      const escaped = `/%${first.charCodeAt(0).toString(16)}${path.slice(2)}`;
      for (const target of [path, `${path}?a=1`, escaped]) {
        const answer = await service.call(target, { method, token: null });
        // 429 after the first twenty of this address: shut out all the same.
        expect([target, [401, 429].includes(answer.status)]).toEqual([target, true]);
      }
      for (const target of [
        `${path}/`,
        `/${path}`,
        path.toUpperCase(),
        path.replace(first, `${first}%2f`),
        `${path};x`,
      ]) {
        const answer = await send(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        expect([target, answer.slice(0, 12)]).toEqual([target, expect.stringMatching(/^HTTP\/1\.1 (?:404|401|429)$/)]);
      }
      expect(await send(get(path).replace('GET', 'HEAD'))).toMatch(/^HTTP\/1\.1 (?:401|405|429) /);
      expect((await service.call(path, { method: 'PUT' })).status).toBe(405);
      expect((await service.call(path, { method: 'OPTIONS' })).status).toBe(405);
    },
  );

  it('GHSA-q2pj-6v73-8rgj, CVE-2025-60542 (TypeORM): an object or a list where a scalar is expected is 400', async () => {
    for (const odd of [{ id: 1 }, { toString: 'x' }, ['x'], { __raw: '1 or 1=1' }]) {
      for (const [path, init] of [
        ['/invoices', { body: { account: odd, month: '2026-01' } }],
        ['/invoices', { body: { account: 'acct_1', month: odd } }],
        ['/customers/x', { method: 'PATCH', body: { legalName: odd } }],
        ['/contracts/x', { method: 'PATCH', body: { endsAt: odd } }],
        ['/breaks/x', { method: 'PATCH', body: { owner: odd } }],
        ['/breaks/x', { method: 'PATCH', body: { note: odd } }],
        ['/breaks/x', { method: 'PATCH', body: { resolution: odd } }],
      ] as const) {
        const { status, body } = await service.call(path, init);
        expect([path, JSON.stringify(init), status, (body as { code: string }).code]).toEqual([
          path,
          JSON.stringify(init),
          400,
          'request/invalid',
        ]);
      }
    }
    for (const query of ['account=a&account=b', 'month=2026-01&month=2026-02', 'limit=1&limit=2']) {
      expect([query, (await service.call(`/invoices?${query}`)).status]).toEqual([query, 400]);
    }
  });

  it('GHSA-r75f-5x8p-qvmc, CVE-2026-42208 (LiteLLM): SQL in a token is a wrong token', async () => {
    for (const token of [`' or '1'='1`, `x' union select 1 --`, '%', '*']) {
      expect([401, 429]).toContain((await service.call('/invoices', { token })).status);
    }
  });

  it('CVE-2025-59466 (Node): deep JSON is refused, and the process goes on', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const head = ['POST /invoices HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Type: application/json'];
    const answer = await send(`${head.join('\r\n')}\r\nContent-Length: ${deep.length}\r\n\r\n${deep}`);
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|401|429) /);
    expect((await service.call('/healthz', { token: null })).status).toBe(200);
  });
});
