import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { paymentHeaderV1, paymentHeaderV2, type TestPayer, usdcRequirements } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { Controller, Get, Header, HttpCode, Param, Post, Redirect, Res, type Type } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, TestController } from './gate-under-test.js';
import { rows, settled, signPayment } from './requests.js';
import { type Wire, wire } from './way-out-under-test.js';

export type Flow = 'authorization' | 'upfront' | 'deferred';
export const flows: readonly Flow[] = ['authorization', 'upfront', 'deferred'];

/** Bytes that no text decoder keeps. */
const pdf = Buffer.concat([
  Buffer.from('%PDF-1.7\n'),
  Buffer.from([0, 255, 254, 128, 13, 10, 0]),
  Buffer.alloc(2_000, 0xc3),
]);

/** What the routes of `Answers` answer with, by path; a POST where the answer is a creation. */
export const kinds = {
  pdf: {
    status: 200,
    body: pdf,
    headers: { 'content-type': 'application/pdf', 'content-disposition': 'attachment; filename="a.pdf"' },
  },
  cookies: {
    status: 200,
    body: Buffer.from('{"run":1}'),
    headers: { 'content-type': 'application/json; charset=utf-8' },
  },
  moved: { status: 302, body: Buffer.alloc(0), headers: { location: 'https://elsewhere.test/', 'content-type': null } },
  nothing: { status: 204, body: Buffer.alloc(0), headers: { 'x-mine': 'yes', 'content-type': null } },
  made: {
    status: 201,
    body: Buffer.from('{"run":1}'),
    headers: { location: '/things/7', 'content-type': 'application/json; charset=utf-8' },
  },
} as const;
export type Kind = keyof typeof kinds;

/** Routes below `/<flow>` that answer with each kind; their handlers run, and can be paused, as `TestController`'s. */
function answersOf(flow: Flow): Type {
  const priced = (): MethodDecorator => Priced({ sku: 'answer', price: '$0.001', flow });

  @Controller(flow)
  class Answers {
    @priced()
    @Get('pdf')
    @Header('content-type', 'application/pdf')
    @Header('content-disposition', 'attachment; filename="a.pdf"')
    async pdf(): Promise<Buffer> {
      await TestController.work.run();
      return pdf;
    }

    @priced()
    @Get('cookies')
    async cookies(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
      void reply.header('set-cookie', ['a=1; Path=/', 'b=2; HttpOnly']);
      return { run: await TestController.work.run() };
    }

    @priced()
    @Get('moved')
    @Redirect('https://elsewhere.test/', 302)
    async moved(): Promise<void> {
      await TestController.work.run();
    }

    @priced()
    @Get('nothing')
    @HttpCode(204)
    @Header('x-mine', 'yes')
    async nothing(): Promise<void> {
      await TestController.work.run();
    }

    @priced()
    @Post('made')
    @Header('location', '/things/7')
    async made(): Promise<object> {
      return { run: await TestController.work.run() };
    }

    @priced()
    @Get('of/:bytes')
    @Header('content-type', 'application/octet-stream')
    async large(@Param('bytes') bytes: string): Promise<Buffer> {
      await TestController.work.run();
      return bodyOf(Number(bytes));
    }
  }
  return Answers;
}

export const answerControllers: Type[] = [TestController, ...flows.map(answersOf)];

/** Settings without a sweep within a test that does not ask for it, and without collection of deferred payments. */
export const still = { REPLICA_TTL_MS: '600000', DEFERRED_AGE_SECONDS: '3000' };

/** The same, with sweeps every second. */
export const sweeping = { ...still, REPLICA_TTL_MS: '1000' };

export async function get(gate: GateUnderTest, path: string, headers: Record<string, string>): Promise<Wire> {
  return wire(gate, path, { headers });
}

/** What so many calls of a flow bring to the till before anything is collected. */
export function due(flow: Flow, calls: bigint): bigint {
  return flow === 'deferred' ? 0n : calls * 1_000n;
}

/** Longer than what two sockets keep under way, so that an answer which nobody reads is not written whole. */
export const unreadBytes = 12 * 1_048_576;

const noise = randomBytes(unreadBytes);

/** So many bytes that no coding makes shorter, the same each time. */
export function bodyOf(bytes: number): Buffer {
  return noise.subarray(0, bytes);
}

/** How a payment is presented: by default in version 2 and without any name. */
export interface Naming {
  readonly version?: 1 | 2;
  readonly key?: string;
  readonly identifier?: string;
}

/** A payment, as headers under any name. */
export interface Payment {
  readonly nonce: string;
  readonly headers: (naming?: Naming) => Record<string, string>;
}

export async function signNamed(ground: Ground, payer: TestPayer): Promise<Payment> {
  const { payload, nonce } = await signPayment(ground, payer);
  const accepted = usdcRequirements(ground.payTo, 1_000n);
  return {
    nonce,
    headers: ({ version = 2, key, identifier } = {}) => ({
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(version === 1
        ? { 'x-payment': paymentHeaderV1({ payload }) }
        : {
            'payment-signature': paymentHeaderV2(
              { payload, accepted },
              identifier === undefined ? {} : { extensions: { 'payment-identifier': { info: { id: identifier } } } },
            ),
          }),
    }),
  };
}

/** What the database and the chain say of payments and their answers. */
export interface Books {
  /** Answers kept for the payment of that nonce. */
  kept(nonce: string): Promise<number>;
  /** Call entries of it. */
  entries(nonce: string): Promise<number>;
  state(nonce: string): Promise<string | undefined>;
  /** What has reached the till, in atomic units. */
  till(): Promise<bigint>;
}

export function booksOf(ground: Ground): Books {
  const { url } = ground.database;
  const count = async (sql: string, nonce: string): Promise<number> => (await rows(url, sql, [nonce])).length;
  return {
    kept: async (nonce) =>
      count('select 1 from keyfare.answer a join keyfare.payment p using (exchange_id) where p.nonce = $1', nonce),
    entries: async (nonce) =>
      count(
        `select 1 from keyfare.entry e join keyfare.payment p on p.exchange_id = e.id
         where e.kind = 'call' and p.nonce = $1`,
        nonce,
      ),
    state: async (nonce) =>
      (await rows<{ state: string }>(url, 'select state from keyfare.payment where nonce = $1', [nonce]))[0]?.state,
    till: async () => usdcBalance(ground.chain.rpcUrl, ground.payTo),
  };
}

/**
 * Sends a GET, waits for the first bytes of its answer, reads on never and breaks the connection. Resolves when the
 * gate knows.
 */
export async function breakOff(gate: GateUnderTest, path: string, headers: Record<string, string>): Promise<void> {
  const { port, hostname } = new URL(gate.url);
  const head = Object.entries({ host: 'gate', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const aborted = () => gate.lines.filter((line) => line.includes('"aborted":true')).length;
  const before = aborted();
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`GET ${path} HTTP/1.1\r\n${head.join('')}\r\n`));
    socket.on('error', reject);
    socket.once('readable', () => {
      socket.destroy();
      resolve();
    });
  });
  if ((await settled(async () => aborted(), before + 1)) !== before + 1) throw new Error('the gate did not notice');
}
