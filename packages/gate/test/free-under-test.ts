import { request as httpRequest } from 'node:http';
import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { Priced } from '../src/tariff.js';
import { type Ground, TestController } from './gate-under-test.js';
import { type Answer, call, rows } from './requests.js';

const text = z.object({ text: z.string().max(10) });
const price = '$0.001';
const day = { per: 'address', period: 'day' } as const;

/** Routes that give calls away. */
@Controller('gift')
export class GiftController {
  @Priced({ sku: 'ten', price, free: { ...day, calls: 10 } })
  @Get('ten')
  async ten(): Promise<object> {
    return { run: await TestController.work.run() };
  }

  @Priced({ sku: 'two', price, free: { ...day, calls: 2 } })
  @Get('two')
  two(): object {
    return { two: true };
  }

  @Priced({ sku: 'month', price, free: { ...day, period: 'month', calls: 1 } })
  @Get('month')
  month(): object {
    return { month: true };
  }

  @Priced({ sku: 'fails', price, free: { ...day, calls: 1 } })
  @Get('fails/:how')
  fails(@Param('how') how: string): object {
    if (how === 'no') return { good: true };
    throw new Error('the handler failed');
  }

  @Priced({ sku: 'body', price, free: { ...day, calls: 1 } })
  @Post('body')
  @HttpCode(200)
  body(@Body({ schema: text }) body: z.infer<typeof text>): object {
    return body;
  }

  @Priced({ sku: 'waits', price, free: { ...day, calls: 1 } })
  @Get('waits')
  async waits(): Promise<object> {
    return { run: await TestController.work.run() };
  }

  @Priced({ sku: 'hangs', price, free: { ...day, period: 'month', calls: 10 } })
  @Get('hangs/:how')
  async hangs(@Param('how') how: string): Promise<object> {
    if (how === 'yes') await new Promise(() => undefined);
    return { hangs: false };
  }

  @Priced({ sku: 'few', price, free: { ...day, calls: 2, total: 3 } })
  @Get('few')
  few(): object {
    return { few: true };
  }

  @Priced({ sku: 'wallet', price, free: { calls: 2, per: 'wallet', period: 'day' } })
  @Get('wallet')
  wallet(): object {
    return { wallet: true };
  }

  @Priced({ sku: 'wallets', price, free: { calls: 1, per: 'wallet', period: 'day', total: 2 } })
  @Get('wallets')
  wallets(): object {
    return { wallets: true };
  }

  @Priced({ sku: 'later', price, flow: 'deferred', free: { calls: 1, per: 'wallet', period: 'day' } })
  @Get('later')
  later(): object {
    return { later: true };
  }
}

/** Lets a request say in a header which address it comes from, as no host of ours does. */
export function addressesByHeader(app: NestFastifyApplication): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRequest', (request, _reply, done) => {
      const address = request.headers['test-address'];
      if (typeof address === 'string') Object.defineProperty(request, 'ip', { value: address });
      done();
    });
}

/** A call without a credential, from an address. */
export async function from(
  gate: { url: string },
  address: string,
  path: string,
  init: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  return call(gate, path, { ...init, headers: { 'test-address': address, ...init.headers } });
}

/** How many calls of a product were posted on the free rail. */
export async function given(ground: Ground, sku: string): Promise<number> {
  const found = await rows(ground.database.url, `select 1 from keyfare.entry where rail = 'free' and sku = '${sku}'`);
  return found.length;
}

/** What is counted of a product's free calls: taken of its tier, and used and held of its callers together. */
export async function counted(
  ground: Ground,
  sku: string,
): Promise<Record<'taken' | 'used' | 'held' | 'holds', number>> {
  const [row] = await rows<Record<'taken' | 'used' | 'held' | 'holds', string>>(
    ground.database.url,
    `select (select coalesce(sum(taken), 0) from keyfare.free_tier where name like '${sku} %') as taken,
      (select count(*) from keyfare.free_hold where tier like '${sku} %') as holds,
      (select coalesce(sum(used), 0) from keyfare.free_caller) as used,
      (select coalesce(sum(held), 0) from keyfare.free_caller) as held`,
  );
  const count = (name: 'taken' | 'used' | 'held' | 'holds'): number => Number(row?.[name]);
  return { taken: count('taken'), used: count('used'), held: count('held'), holds: count('holds') };
}

/** The status of a GET with a body, which fetch does not send. */
export async function getWithBody(gate: { url: string }, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${gate.url}${path}`,
      { method: 'GET', headers: { 'content-length': '2' } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on('error', reject);
    request.end('{}');
  });
}
