import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpException,
  type NestInterceptor,
  UseGuards,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, withKey } from './requests.js';

class Deny implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

/** Lets a request in when the test says so. */
class Wait implements CanActivate {
  static entered = 0;
  static open: () => void = () => undefined;

  async canActivate(): Promise<boolean> {
    Wait.entered += 1;
    await new Promise<void>((resolve) => {
      Wait.open = resolve;
    });
    return true;
  }
}

@Controller()
class GuardedController {
  @Priced({ sku: 'denied', price: '$0.001' })
  @UseGuards(Deny)
  @Get('denied')
  denied(): object {
    return {};
  }

  @Priced({ sku: 'waiting', price: '$0.001' })
  @UseGuards(Wait)
  @Get('waiting')
  async waiting(): Promise<object> {
    return { run: await TestController.work.run() };
  }
}

/** Refuses, as a host's hook would, whoever says so. */
class RefuseAround implements NestInterceptor {
  intercept(context: ExecutionContext, next: Parameters<NestInterceptor['intercept']>[1]) {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    if (headers['x-refuse'] === 'interceptor') throw new HttpException('not today', 403);
    return next.handle();
  }
}
class RefuseEverywhere implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<FastifyRequest>().headers['x-refuse'] !== 'guard';
  }
}

/** A guard's refusal never reaches an interceptor; what was held for the call must go back all the same. */
describe('what was held for a call that never reached its handler', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, {
      controllers: [TestController, GuardedController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: RefuseAround }],
      prepare: (app) => app.useGlobalGuards(new RefuseEverywhere()),
    });
    payer = await fundedPayer(ground.chain, 1);
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });
  beforeEach(() => {
    TestController.work.runs = 0;
    Wait.entered = 0;
  });

  const claims = async (nonce: string): Promise<number> =>
    (await rows(ground.database.url, 'select 1 from keyfare.payment where nonce = $1', [nonce])).length;

  const refusals = [
    ['a guard of the route', '/denied', {}],
    ['a global guard of the host', '/ping', { 'x-refuse': 'guard' }],
    ['an interceptor of the host around ours', '/ping', { 'x-refuse': 'interceptor' }],
  ] as const;

  it.each(refusals)('refused by %s: every unit is free again', async (_who, path, extra) => {
    const { secret } = await gate.issueKey({ includedUnits: 3n });
    for (let index = 0; index < 10; index += 1) {
      const answer = await call(gate, path, { headers: { ...withKey(secret).headers, ...extra } });
      expect(answer.status).toBe(403);
    }
    for (let index = 0; index < 3; index += 1) expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    expect(TestController.work.runs).toBe(3);
  });

  it.each(refusals)('refused by %s: the payment is free again and buys another call', async (_who, path, extra) => {
    const { v2, nonce } = await signPayment(ground, payer);
    expect((await call(gate, path, { headers: { ...v2, ...extra } })).status).toBe(403);
    expect(await settled(() => claims(nonce), 0)).toBe(0);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    expect(TestController.work.runs).toBe(1);
  });

  it('left by its caller before its handler began: unit and payment are free again', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 1n });
    const { v2, nonce } = await signPayment(ground, payer);
    for (const headers of [withKey(secret).headers, v2]) {
      Wait.entered = 0;
      const leaving = new AbortController();
      const left = call(gate, '/waiting', { headers, signal: leaving.signal }).catch(() => 'left');
      await settled(async () => Wait.entered, 1);
      const lines = gate.lines.length;
      leaving.abort();
      expect(await left).toBe('left');
      await settled(async () => gate.lines.length > lines, true);
      Wait.open();
    }
    expect(await settled(() => claims(nonce), 0)).toBe(0);
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
  });
});
