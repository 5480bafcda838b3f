import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Param, Post } from '@nestjs/common';
import { Priced } from '../src/tariff.js';
import { exchange, expectReadableProblem, requestHead } from './edge-under-test.js';
import { TestController } from './gate-under-test.js';
import { expectCharged, type HostUnderTest, openHost } from './way-out-under-test.js';

/** Routes of the shapes whose patterns other routers turned into slow or wrong expressions. */
@Controller()
class PathController {
  static runs = 0;

  @Priced({ sku: 'parts', price: '$0.001' })
  @Get('parts/:a-:b-:c')
  parts(@Param('a') a: string): object {
    PathController.runs += 1;
    return { a };
  }

  @Priced({ sku: 'wild', price: '$0.001' })
  @Get('wild/*')
  wild(): object {
    PathController.runs += 1;
    return { wild: true };
  }

  @Priced({ sku: 'tenant', price: '$0.001' })
  @Get('tenant/:tenant/report')
  report(@Param('tenant') tenant: string): object {
    PathController.runs += 1;
    return { tenant };
  }

  @Priced({ sku: 'write', price: '$0.001' })
  @Post('write')
  write(): object {
    PathController.runs += 1;
    return { wrote: true };
  }
}

/** Every letter of a text, escaped by itself. */
function spellings(path: string): readonly string[] {
  return Array.from(path, (letter, index) => {
    if (letter === '/') return [];
    const hex = (letter.codePointAt(0) ?? 0).toString(16);
    return [hex, hex.toUpperCase()].map((digits) => `${path.slice(0, index)}%${digits}${path.slice(index + 1)}`);
  }).flat();
}

describe('security: the path of a priced route', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({ controllers: [TestController, PathController], env: { CORS_ORIGINS: '*' } });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  const ask = async (method: string, target: string, headers: readonly string[] = []) =>
    exchange(host.gate, requestHead(`${method} ${target}`, headers));
  const withKey = () => [`Authorization: Bearer ${host.secret}`];
  const runs = () => TestController.work.runs + PathController.runs;

  /**
   * Asserts one and the same refusal for all methods, unpaid as well as paid, and that no handler ran for any of them.
   */
  const expectNothingAt = async (target: string, code: 'request/not-found' | 'request/malformed') => {
    const [before, charges] = [runs(), await host.charges()];
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      expectReadableProblem(await ask(method, target), code);
      expectReadableProblem(await ask(method, target, withKey()), code);
    }
    const { status } = await ask('HEAD', target, withKey());
    expect([status, runs()]).toEqual([code === 'request/not-found' ? 404 : 400, before]);
    await expectCharged(host, charges, 'nothing');
  };

  it.each([...spellings('/ping'), '/%70%69%6e%67'])(
    'CVE-2025-69211 (Nest), CVE-2026-22031 (middie): an escaped letter is the letter, and costs what it costs: %s',
    async (target) => {
      const [before, charges] = [runs(), await host.charges()];
      expectReadableProblem(await ask('GET', target), 'payment/required');
      expect(runs()).toBe(before);
      expect((await ask('HEAD', target)).status).toBe(405);
      const wrong = await ask('DELETE', target);
      expectReadableProblem(wrong, 'request/method-not-allowed');
      expect(wrong.headers.get('allow')).toBe('GET');
      const sold = await ask('GET', target, withKey());
      expect([sold.status, sold.headers.has('receipt-id')]).toEqual([200, true]);
      await expectCharged(host, charges, 'key');
    },
  );

  it.each([
    '/ping/',
    '//ping',
    '/ping//',
    '/./ping',
    '/x/../ping',
    '/ping/.',
    '/ping/%2e',
    '/%2fping',
    '/ping%2f',
    '/ping%2F..',
    '/ping;x=1',
    '/ping%3Fa=1',
    '/ping%23',
    '/ping%20',
    '/%2570ing',
    '/PING',
    '/Ping',
    '/\\ping',
    '/ping%5c',
    '/write/',
    '//write',
    '/WRITE',
    '/tenant//report',
    '/tenant/a//report',
    '/tenant/a/report/',
    '/tenant/a%2freport',
  ])(
    'CVE-2026-2293 (Nest), CVE-2026-33804 (middie): nothing but the path itself is the path, for any method: %s',
    async (target) => {
      await expectNothingAt(target, 'request/not-found');
    },
  );

  it.each([
    'http://evil.example/ping',
    'HTTP://api.test/ping',
    'http:///ping',
    'evil://x/ping',
    'ping',
    '/ping#',
    '/ping%00',
    '/%c0%afping',
  ])('CVE-2026-112362 (@fastify/express): a target in another form reaches no route: %s', async (target) => {
    await expectNothingAt(target, 'request/malformed');
  });

  it.each(['/tenant/a%2Fb/report', '/tenant/..%2F..%2Fping/report', '/tenant/%2e%2e/report'])(
    'CVE-2026-14198 (middie): an encoded slash within a parameter leads to the same route, unpaid 402 and paid as sent: %s',
    async (target) => {
      const [before, charges] = [runs(), await host.charges()];
      expectReadableProblem(await ask('GET', target), 'payment/required');
      expect(runs()).toBe(before);
      const sold = await ask('GET', target, withKey());
      expect([sold.status, JSON.parse(sold.body)]).toEqual([
        200,
        { tenant: decodeURIComponent(target.split('/')[2] ?? '') },
      ]);
      await expectCharged(host, charges, 'key');
    },
  );

  it.each(['/ping', '/tenant/a/report', '/wild/a/b', '/parts/a-b-c'])(
    'Nest on Fastify, HEAD that passes by the middleware of its GET (no number was found): %s runs no handler, paid or not',
    async (target) => {
      const [before, charges] = [runs(), await host.charges()];
      for (const headers of [[], withKey()]) {
        const { status, headers: answered, body } = await ask('HEAD', target, headers);
        expect([status, answered.get('allow'), answered.has('receipt-id'), body]).toEqual([405, 'GET', false, '']);
      }
      expect(runs()).toBe(before);
      await expectCharged(host, charges, 'nothing');
    },
  );

  it.each([
    ['CVE-2026-4867 (path-to-regexp), three parameters in a part', `/parts/${'a-'.repeat(49)}`],
    ['CVE-2026-4923 (path-to-regexp), several wildcards', `/wild/${'a/-'.repeat(5_000)}`],
    ['CVE-2026-4926 (path-to-regexp), groups that may be missing', `/${'a'.repeat(15_000)}`],
    ['CVE-2026-4926 (path-to-regexp), parts that may be empty', '/'.repeat(15_000)],
  ])('%s: a path made to be tried in many ways is answered by every method, unpaid', async (_what, target) => {
    const before = runs();
    for (const method of ['GET', 'DELETE', 'POST']) {
      const { status } = await ask(method, target);
      expect([402, 404, 405, 414]).toContain(status);
    }
    expect(runs()).toBe(before);
  });

  it('CR and LF in a path forge no line of the access log', async () => {
    const before = host.gate.lines.length;
    await ask('GET', '/nowhere%0d%0a%7b%22level%22:%22error%22%7d');
    await ask('GET', '/fail/%0d%0aforged', withKey());
    const lines = host.gate.lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === 'exchange').map(({ route }) => route)).toEqual([
      'unmatched',
      '/fail/:how',
    ]);
  });
});
