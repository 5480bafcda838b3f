import compress from '@fastify/compress';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Header,
  type NestInterceptor,
  Query,
  Redirect,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { map, of } from 'rxjs';
import { Free, Priced } from '../src/tariff.js';
import { withKey } from './requests.js';
import {
  expectCharged,
  expectProblem,
  expectReceiptIsWire,
  type HostUnderTest,
  openHost,
  rails,
  rawBytes,
  wire,
} from './way-out-under-test.js';

const long = Array.from({ length: 400 }, (_, index) => ({ index, text: 'the same words again and again' }));

@Controller()
class HostController {
  static runs = 0;

  @Priced({ sku: 'long', price: '$0.001' })
  @Get('priced/long')
  @Header('x-mine', 'yes')
  priced(): object {
    HostController.runs += 1;
    return { long };
  }

  @Free()
  @Get('free/long')
  @Header('x-mine', 'yes')
  free(): object {
    return { long };
  }

  @Priced({ sku: 'moved', price: '$0.001' })
  @Get('priced/moved')
  @Redirect('/free/long', 302)
  moved(): void {
    // The decorator answers.
  }

  @Priced({ sku: 'echo', price: '$0.001' })
  @Get('priced/echo')
  echo(@Query('text') text: string): object {
    return { length: text.length };
  }

  @Priced({ sku: 'broken', price: '$0.001' })
  @Get('priced/broken')
  broken(): never {
    throw new Error('the handler failed');
  }
}

class Wrap implements NestInterceptor {
  intercept(_context: unknown, next: Parameters<NestInterceptor['intercept']>[1]) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

/** Answers from memory after the first time, as a caching interceptor does. */
class Remember implements NestInterceptor {
  #kept: unknown;
  intercept(_context: unknown, next: Parameters<NestInterceptor['intercept']>[1]) {
    if (this.#kept !== undefined) return of(this.#kept);
    return next.handle().pipe(
      map((data: unknown) => {
        this.#kept = data;
        return data;
      }),
    );
  }
}

/** Calls everything a success. */
@Catch()
class AllIsWell implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    void host.switchToHttp().getResponse<FastifyReply>().status(200).send({ fine: true });
  }
}

@UseInterceptors(Wrap)
@Controller()
class WrappedController extends HostController {}

@UseInterceptors(Remember)
@Controller()
class RememberedController {
  @Priced({ sku: 'long', price: '$0.001' })
  @Get('priced/long')
  priced(): object {
    HostController.runs += 1;
    return { long };
  }
}

@UseFilters(AllIsWell)
@Controller()
class FineController extends HostController {}

describe('a host that compresses and maps', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({
      controllers: [WrappedController],
      env: { CORS_ORIGINS: '*' },
      prepare: (app) => app.register(compress, { global: true, encodings: ['gzip'], threshold: 100 }),
    });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  it.each(rails)(
    'by %s: the receipt names what a fetch client reads, which is what a free route sends',
    async (rail) => {
      const before = await host.charges();
      const { headers } = await host.credential(rail);
      const priced = await wire(host.gate, '/priced/long', { headers });
      const free = await wire(host.gate, '/free/long');
      expect([priced.status, priced.headers.get('content-encoding')]).toEqual([200, 'gzip']);
      expect(priced.body.equals(free.body)).toBe(true);
      expect(JSON.parse(priced.body.toString())).toHaveProperty('data');
      await expectReceiptIsWire(host.gate, priced);
      await expectCharged(host, before, rail);
    },
  );

  it.each(rails)('by %s: a redirect is charged, and its receipt says so', async (rail) => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const moved = await wire(host.gate, '/priced/moved', { headers });
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/free/long']);
    await expectReceiptIsWire(host.gate, moved);
    await expectCharged(host, before, rail);
  });

  it('keeps the head of a paid answer under 3.5 kB, with a URL of 1,000 characters', async () => {
    const { headers } = await host.credential('x402');
    const path = `/priced/echo?text=${'a'.repeat(1_000 - 'http://api.test/priced/echo?text='.length)}`;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const request = `GET ${path} HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n${lines.join('')}\r\n`;
    const { head } = await rawBytes(host.gate, request);
    expect(head).toMatch(/^HTTP\/1.1 200 /);
    expect(head).toMatch(/receipt-id: /i);
    expect(head.match(/keyfare-receipt: /gi)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(head.length).toBeLessThan(3_500);
  });

  it.each([
    ['an absolute form', 'http://evil.example/priced/long'],
    ['an escape that does not decode', '/priced/%ff'],
    ['the same of nothing', '/nowhere/%e0%a4'],
  ])('answers %s as a problem, with CORS and one access line', async (_what, target) => {
    const lines = host.gate.lines.length;
    const { secret } = host;
    const { authorization } = withKey(secret).headers;
    const request = `GET ${target} HTTP/1.1\r\nhost: api.test\r\norigin: https://page.example\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`;
    const { head, body } = await rawBytes(host.gate, request);
    expect(head).toMatch(/^HTTP\/1.1 400 /);
    expect(head).toMatch(/access-control-allow-origin: \*/i);
    expect(JSON.parse(body.toString())).toMatchObject({ status: 400, code: 'request/malformed' });
    const access = host.gate.lines.slice(lines).filter((line) => line.includes('"msg":"exchange"'));
    expect(access.map((line) => (JSON.parse(line) as { status: number }).status)).toEqual([400]);
  });
});

describe('a host that answers from memory', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({
      controllers: [RememberedController],
    });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  it.each(rails)('by %s: each answer is posted, though the handler ran once', async (rail) => {
    HostController.runs = 0;
    for (let index = 0; index < 3; index += 1) {
      const before = await host.charges();
      const { headers } = await host.credential(rail);
      const answer = await wire(host.gate, '/priced/long', { headers });
      expect(answer.status).toBe(200);
      await expectReceiptIsWire(host.gate, answer);
      await expectCharged(host, before, rail);
    }
    expect(HostController.runs).toBeLessThanOrEqual(1);
  });
});

describe('a host whose filter calls everything a success', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({
      controllers: [FineController],
    });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  it('cannot turn the gate’s refusal into an answer', async () => {
    const before = await host.charges();
    const unpaid = await wire(host.gate, '/priced/long');
    expect(unpaid.status).toBe(402);
    expect(unpaid.headers.has('payment-required')).toBe(true);
    await expectProblem(host.gate, unpaid, 'payment/required');
    await expectCharged(host, before, 'nothing');
  });

  it.each(rails)('by %s: what it says of a failed handler is an answer, and charged as one', async (rail) => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const answer = await wire(host.gate, '/priced/broken', { headers });
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([200, { fine: true }]);
    await expectReceiptIsWire(host.gate, answer);
    await expectCharged(host, before, rail);
  });
});
