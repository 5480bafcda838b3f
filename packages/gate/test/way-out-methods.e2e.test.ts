import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { All, Controller, Get, Options, Redirect } from '@nestjs/common';
import { Priced } from '../src/tariff.js';
import {
  expectCharged,
  expectFree,
  expectProblem,
  expectReceiptIsWire,
  type HostUnderTest,
  openHost,
  type Rail,
  rails,
  rawBytes,
  wire,
} from './way-out-under-test.js';

let runs = 0;
function run<T>(answer: T): T {
  runs += 1;
  return answer;
}

@Controller()
class MethodsController {
  @Priced({ sku: 'get', price: '$0.001' })
  @Get('priced/get')
  get(): object {
    return run({ got: true });
  }

  @Priced({ sku: 'all', price: '$0.001' })
  @All('priced/all')
  all(): object {
    return run({ all: true });
  }

  @Priced({ sku: 'options', price: '$0.001' })
  @Options('priced/options')
  options(): object {
    return run({ options: true });
  }

  /** Looks like the answer to a preflight. */
  @Priced({ sku: 'empty', price: '$0.001' })
  @Options('priced/empty')
  empty(): string {
    return run('');
  }

  @Priced({ sku: 'moved', price: '$0.001' })
  @Options('priced/moved')
  @Redirect('/elsewhere', 302)
  moved(): void {
    run(undefined);
  }
}

const preflight = { origin: 'https://page.test', 'access-control-request-method': 'GET' };
const ways: readonly (Rail | 'nobody')[] = ['nobody', ...rails];
const withOptions = ['/priced/all', '/priced/options', '/priced/empty', '/priced/moved'];

describe.each([
  ['with', '*'],
  ['with one origin of', 'https://page.test'],
  ['without', 'none'],
])('HEAD and OPTIONS of priced routes %s CORS', (_how, origins) => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({ controllers: [MethodsController], env: { CORS_ORIGINS: origins } });
  }, 60_000);
  afterAll(() => host.close(), 60_000);
  beforeEach(() => {
    runs = 0;
  });

  const credential = async (way: Rail | 'nobody'): Promise<{ headers: Record<string, string>; nonce?: string }> =>
    way === 'nobody' ? { headers: {} } : host.credential(way);

  /** Asserts that no handler ran and nobody paid. */
  const expectUntouched = async (before: Awaited<ReturnType<HostUnderTest['charges']>>, nonce?: string) => {
    expect(runs).toBe(0);
    await expectCharged(host, before, 'nothing');
    if (nonce !== undefined) await expectFree(host, nonce);
  };

  /** Asserts that an OPTIONS is a call like any other: refused unpaid, and else answered, charged and receipted. */
  const expectSold = async (way: Rail | 'nobody', path: string, extra: Record<string, string>): Promise<void> => {
    runs = 0;
    const before = await host.charges();
    const { headers } = await credential(way);
    const answer = await wire(host.gate, path, { method: 'OPTIONS', headers: { ...headers, ...extra } });
    if (way === 'nobody') {
      await expectProblem(host.gate, answer, 'payment/required');
      await expectUntouched(before);
      return;
    }
    expect([answer.status, runs]).toEqual([path === '/priced/moved' ? 302 : 200, 1]);
    await expectReceiptIsWire(host.gate, answer);
    await expectCharged(host, before, way);
  };

  describe.each(ways)('asked for by %s', (way) => {
    it.each(['/priced/get', '/priced/all'])('a HEAD of %s is 405 and costs nothing', async (path) => {
      const before = await host.charges();
      const { headers, nonce } = await credential(way);
      const answer = await wire(host.gate, path, { method: 'HEAD', headers });
      expect([answer.status, answer.headers.has('receipt-id')]).toEqual([405, false]);
      await expectUntouched(before, nonce);
    });

    if (origins === 'none') {
      it('an OPTIONS of a route that has none is 405, and names the methods that it has', async () => {
        const before = await host.charges();
        const { headers, nonce } = await credential(way);
        const answer = await wire(host.gate, '/priced/get', {
          method: 'OPTIONS',
          headers: { ...headers, ...preflight },
        });
        await expectProblem(host.gate, answer, 'request/method-not-allowed');
        expect(answer.headers.get('allow')).toBe('GET');
        const nowhere = await wire(host.gate, '/nowhere', { method: 'OPTIONS', headers });
        await expectProblem(host.gate, nowhere, 'request/not-found');
        await expectUntouched(before, nonce);
      });

      it.each(withOptions)('an OPTIONS of %s is sold like any call, also dressed as a preflight', async (path) => {
        await expectSold(way, path, preflight);
      });
    } else {
      it.each(['/priced/get', ...withOptions])(
        'a preflight of %s is 204 and empty, and costs nothing',
        async (path) => {
          const before = await host.charges();
          const { headers, nonce } = await credential(way);
          const answer = await wire(host.gate, path, { method: 'OPTIONS', headers: { ...headers, ...preflight } });
          expect([answer.status, answer.body.length, answer.headers.has('receipt-id')]).toEqual([204, 0, false]);
          expect(answer.headers.get('access-control-allow-origin')).toBe(origins);
          await expectUntouched(before, nonce);
        },
      );

      it.each(withOptions)('an OPTIONS of %s that is no preflight is sold like any call', async (path) => {
        for (const extra of [{}, { origin: 'https://page.test' }, { 'access-control-request-method': 'GET' }]) {
          await expectSold(way, path, extra);
        }
      });

      it('an OPTIONS of a route that has none and no preflight is 405, and names the methods that it has', async () => {
        const before = await host.charges();
        const { headers, nonce } = await credential(way);
        const answer = await wire(host.gate, '/priced/get', { method: 'OPTIONS', headers });
        await expectProblem(host.gate, answer, 'request/method-not-allowed');
        expect(answer.headers.get('allow')).toBe('GET');
        await expectUntouched(before, nonce);
      });

      it('the call after the preflight is answered to the page, sold or refused', async () => {
        const before = await host.charges();
        const { headers } = await credential(way);
        const answer = await wire(host.gate, '/priced/get', { headers: { ...headers, origin: 'https://page.test' } });
        expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
          way === 'nobody' ? 402 : 200,
          origins,
        ]);
        await expectCharged(host, before, way === 'nobody' ? 'nothing' : way);
      });
    }
  });
});

describe('a host with Nest’s CSRF protection and security headers', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({
      controllers: [MethodsController],
      prepare: (app) => {
        app.enableCsrfProtection();
        app.useSecurityHeaders();
      },
    });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  const post = async (headers: Record<string, string>) => {
    const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
    return rawBytes(host.gate, `POST /priced/all HTTP/1.1\r\nhost: api.test\r\n${lines.join('')}\r\n`);
  };

  it.each(rails)('by %s: a page of another site is refused, uncharged; the call of a program is sold', async (rail) => {
    const before = await host.charges();
    const { headers, nonce } = await host.credential(rail);
    const { head, body } = await post({ ...headers, origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' });
    expect(head).toMatch(/^HTTP\/1\.1 403 [^]*\r\ncontent-type: application\/problem\+json/i);
    expect(JSON.parse(body.toString())).toMatchObject({ status: 403 });
    await expectCharged(host, before, 'nothing');
    if (nonce !== undefined) await expectFree(host, nonce);
    const sold = await post(headers);
    expect(sold.head).toMatch(/^HTTP\/1\.1 200 [^]*\r\nreceipt-id: /i);
    for (const answer of [head, sold.head, (await post({})).head]) expect(answer).toMatch(/x-content-type-options: /i);
    await expectCharged(host, before, rail);
  });
});
