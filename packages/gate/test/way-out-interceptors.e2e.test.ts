import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  type NestInterceptor,
  RequestTimeoutException,
  Res,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, map, of, TimeoutError, throwError, timeout } from 'rxjs';
import { Free, Priced } from '../src/tariff.js';
import { call, settled } from './requests.js';
import {
  expectCharged,
  expectFree,
  expectProblem,
  expectReceiptIsWire,
  type HostUnderTest,
  openHost,
  rails,
  wire,
} from './way-out-under-test.js';

/** What a serialising interceptor makes of an entity: fields that are marked do not leave. */
class Hide implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((body: unknown) => JSON.parse(JSON.stringify(body, hidden)) as unknown));
  }
}
const hidden = (name: string, value: unknown): unknown => (name === 'passwordHash' ? undefined : value);

class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

/** Gives up on handlers that never return: as a refusal, or with an answer of its own. */
class TimeOut implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { url } = context.switchToHttp().getRequest<FastifyRequest>();
    if (!url.includes('slow')) return next.handle();
    return next.handle().pipe(
      timeout(100),
      catchError((error: unknown) => {
        if (!(error instanceof TimeoutError)) return throwError(() => error);
        return url.endsWith('refused') ? throwError(() => new RequestTimeoutException()) : of({ instead: true });
      }),
    );
  }
}

/** A handler that a test lets go on after its interceptor has answered. */
const slow = { release: () => {}, ended: 0 };
async function runSlowly(reply: FastifyReply): Promise<object> {
  await new Promise<void>((resolve) => {
    slow.release = resolve;
  });
  void reply.status(201).header('x-mine', 'late');
  slow.ended += 1;
  return { late: true };
}

@Controller()
class HostController {
  @Priced({ sku: 'user', price: '$0.001' })
  @Get('priced/user')
  priced(): object {
    return { name: 'Ada', passwordHash: 'a secret', friends: [{ name: 'Bob', passwordHash: 'another' }] };
  }

  @Free()
  @Get('free/user')
  free(): object {
    return this.priced();
  }

  @Priced({ sku: 'slow', price: '$0.001' })
  @Get('priced/slow/:how')
  @Header('x-mine', 'decorated')
  pricedSlow(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return runSlowly(reply);
  }

  @Free()
  @Get('free/slow/:how')
  @Header('x-mine', 'decorated')
  freeSlow(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return runSlowly(reply);
  }
}

const shown = ({ body }: { body: Buffer }): string => body.toString().replaceAll(/urn:uuid:[^"]*/g, '');

describe('a host whose global interceptors hide fields, wrap every body and give up on slow handlers', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({
      controllers: [HostController],
      providers: [
        { provide: APP_INTERCEPTOR, useClass: Wrap },
        { provide: APP_INTERCEPTOR, useClass: TimeOut },
      ],
      prepare: (app) => app.useGlobalInterceptors(new Hide()),
    });
  }, 60_000);
  afterAll(() => host.close(), 60_000);
  beforeEach(() => {
    slow.ended = 0;
  });

  it.each(rails)('by %s: what the serialiser left of the answer is what the receipt names', async (rail) => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const priced = await wire(host.gate, '/priced/user', { headers });
    const free = await wire(host.gate, '/free/user');
    expect([priced.status, priced.type, priced.body]).toEqual([free.status, free.type, free.body]);
    expect(priced.body.toString()).toBe('{"data":{"name":"Ada","friends":[{"name":"Bob"}]}}');
    await expectReceiptIsWire(host.gate, priced);
    await expectCharged(host, before, rail);
  });

  const late = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await wire(host.gate, path, { headers });
    const ended = slow.ended;
    slow.release();
    expect(await settled(async () => slow.ended, ended + 1)).toBe(ended + 1);
    return answer;
  };

  it.each(rails)('by %s: a slow handler is refused as on a free route, and costs nothing', async (rail) => {
    const before = await host.charges();
    const free = await late('/free/slow/refused');
    const { headers, nonce } = await host.credential(rail);
    const priced = await late('/priced/slow/refused', headers);
    expect(priced.status).toBe(408);
    expect([priced.status, priced.type, shown(priced)]).toEqual([free.status, free.type, shown(free)]);
    expect(priced.headers.has('receipt-id')).toBe(false);
    await expectCharged(host, before, 'nothing');
    if (nonce !== undefined) await expectFree(host, nonce);
  });

  it.each(rails)('by %s: what is answered in place of a slow handler is charged once, as one answer', async (rail) => {
    const before = await host.charges();
    const free = await late('/free/slow/replaced');
    const { headers } = await host.credential(rail);
    const priced = await late('/priced/slow/replaced', headers);
    expect([priced.status, priced.type, shown(priced)]).toEqual([200, free.type, shown(free)]);
    expect(priced.body.toString()).toBe('{"data":{"instead":true}}');
    expect(priced.headers.get('x-mine')).toBe('decorated');
    await expectReceiptIsWire(host.gate, priced);
    await expectCharged(host, before, rail);
  });

  it('does not change the pages of the gate: keys, DID document, receipts and problems', async () => {
    const { headers } = await host.credential('key');
    const id = (await wire(host.gate, '/priced/user', { headers })).headers.get('receipt-id') ?? '';
    const jwks = await wire(host.gate, '/.well-known/jwks.json');
    expect([jwks.status, jwks.type]).toEqual([200, 'application/json; charset=utf-8']);
    expect(JSON.parse(jwks.body.toString())).toEqual({ keys: [expect.objectContaining({ crv: 'Ed25519' })] });
    const did = await wire(host.gate, '/.well-known/did.json');
    expect(JSON.parse(did.body.toString())).toMatchObject({ id: 'did:web:api.test' });
    const receipt = await wire(host.gate, `/receipts/${id}`);
    expect([receipt.type, receipt.body.toString()]).toEqual(['application/jose', expect.stringMatching(/^ey.*\..*\./)]);
    const problem = await wire(host.gate, '/problems/answer/streamed');
    expect(JSON.parse(problem.body.toString())).toMatchObject({ code: 'answer/streamed', status: 500 });
  });
});

describe('a host with a global prefix', () => {
  it('keeps the pages of the gate at the root, where the RFCs and the problems’ types have them', async () => {
    const host = await openHost({ controllers: [HostController], prepare: (app) => app.setGlobalPrefix('v1') });
    try {
      const { headers } = await host.credential('key');
      const answer = await wire(host.gate, '/v1/priced/user', { headers });
      expect(answer.status).toBe(200);
      await expectReceiptIsWire(host.gate, answer);
      await expectProblem(host.gate, await wire(host.gate, '/v1/priced/user'), 'payment/required');
      const wrong = await call(host.gate, '/.well-known/jwks.json', { method: 'DELETE' });
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET']);
    } finally {
      await host.close();
    }
  }, 60_000);
});
