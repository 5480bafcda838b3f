import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { expect } from '@keyfare/jest-preset/globals';
import { Controller, ForbiddenException, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Free, Priced } from '../src/tariff.js';
import { type GateUnderTest, TestController } from './gate-under-test.js';
import { rows, settled } from './requests.js';
import { type HostUnderTest, rawBytes } from './way-out-under-test.js';

/** Handlers that stop where a test says, and what they do afterwards. */
@Controller()
export class LawController {
  /** How many late handlers have ended. */
  static ended = 0;
  static reply: FastifyReply | undefined;
  static readonly buffer = Buffer.alloc(64);

  @Priced({ sku: 'ping', price: '$0.001' })
  @Get('priced/ping')
  ping(): object {
    return { pong: true };
  }

  @Free()
  @Get('free/ping')
  free(): object {
    return { free: true };
  }

  /** All that an answer may carry, each part with a mark. */
  @Priced({ sku: 'rich', price: '$0.001' })
  @Get('priced/rich')
  async rich(@Res({ passthrough: true }) reply: FastifyReply): Promise<Buffer> {
    await TestController.work.run();
    reply.raw.statusMessage = 'Of-the-handler';
    reply.raw.setHeader('x-raw', 'of-the-handler');
    void reply.status(201).type('text/x-of-the-handler').headers({
      location: '/of-the-handler',
      'set-cookie': 'a=of-the-handler',
      etag: '"of-the-handler"',
      link: '</of-the-handler>; rel=next',
      'content-disposition': 'attachment; filename="of-the-handler"',
      'content-encoding': 'gzip',
      'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
      'x-mine': 'of-the-handler',
    });
    return gzipSync('of-the-handler');
  }

  /** Lets a test go on with the reply and the bytes after it has returned. */
  @Priced({ sku: 'kept', price: '$0.001' })
  @Get('priced/kept')
  kept(@Res({ passthrough: true }) reply: FastifyReply): Buffer {
    LawController.reply = reply;
    LawController.buffer.fill('a');
    void reply.type('text/plain').header('x-mine', 'early');
    return LawController.buffer;
  }

  /** Paid before the handler runs. */
  @Priced({ sku: 'upfront', price: '$0.001', flow: 'upfront' })
  @Get('priced/upfront')
  async upfront(): Promise<object> {
    await TestController.work.run();
    LawController.ended += 1;
    return { answer: 'late-mark' };
  }

  @Priced({ sku: 'late', price: '$0.001' })
  @Get('priced/late/:how')
  async late(@Param('how') how: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    await TestController.work.run();
    LawController.ended += 1;
    void reply.header('x-mine', 'late-mark');
    return lateEnds[how]?.(reply);
  }
}

/** How a handler ends whose time is over. */
export const lateEnds: Readonly<Record<string, (reply: FastifyReply) => unknown>> = {
  'returns its answer': () => ({ answer: 'late-mark' }),
  'throws an error': () => {
    throw new Error('late-mark');
  },
  'throws a refusal': () => {
    throw new ForbiddenException('late-mark');
  },
  'sends by the reply': (reply) => void reply.send('late-mark'),
  'writes to the raw response': (reply) => void reply.raw.end('late-mark'),
  'takes the response over': (reply) => (void reply.hijack(), reply.raw.write('late-mark'), undefined),
  'destroys its response': (reply) => void reply.raw.destroy(),
};

/** The bytes of a request, by a raw connection. */
export function requestText(path: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nhost: api.test\r\n${lines.join('')}\r\n`;
}

/** A connection of which a test sees every byte. */
export function openConnection(gate: { url: string }) {
  const { port, hostname } = new URL(gate.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  return {
    text: () => text,
    send: (request: string) => void socket.write(request),
    leave: () => void socket.destroy(),
    /** Resolves to all that came, once it has this in it. */
    until: async (pattern: RegExp): Promise<string> => {
      await settled(async () => pattern.test(text), true);
      expect(text).toMatch(pattern);
      return text;
    },
  };
}

const nothing = (): void => undefined;

/** Lets no entry be written until `release`. */
export async function holdPosts(url: string) {
  const sql = new SqlPool({ ...patience, url, applicationName: 'test' });
  let release = nothing;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let locked = nothing;
  const isLocked = new Promise<void>((resolve) => {
    locked = resolve;
  });
  const holding = sql.transaction(async (tx) => {
    await tx.query({ text: 'lock table keyfare.entry in share mode' });
    locked();
    await released;
  });
  await Promise.race([isLocked, holding]);
  const waiting = `select 1 from pg_locks where relation = 'keyfare.entry'::regclass and not granted
    and database = (select oid from pg_database where datname = current_database())`;
  return {
    /** Resolves when a post waits. */
    reached: async (): Promise<void> => {
      expect(await settled(async () => (await rows(url, waiting)).length > 0, true)).toBe(true);
    },
    release: async (): Promise<void> => {
      release();
      await holding;
      await sql.close();
    },
  };
}

/** Names of headers that a refusal may have: those of the gate, and of the connection. */
const ours = new Set(['cache-control', 'connection', 'content-length', 'content-type', 'date', 'keep-alive']);
const ofPayments = new Set(['payment-required', 'payment-response', 'retry-after']);

/** A refused call to `/priced/rich`; asserts that nothing of its handler's is in any byte of the refusal. */
export async function refusedRich(gate: GateUnderTest, headers: Record<string, string>, code: string): Promise<void> {
  const request = requestText('/priced/rich', { ...headers, connection: 'close' });
  const { head, body } = await rawBytes(gate, request);
  const { status, ...problem } = JSON.parse(body.toString()) as { status: number; code: string };
  expect([problem.code, head.split(' ')[1]]).toEqual([code, String(status)]);
  expect(`${head}${body.toString()}`).not.toMatch(/of-the-handler/i);
  const names = [...head.matchAll(/^([\w-]+): /gm)].map(([, name = '']) => name.toLowerCase());
  expect(names.filter((name) => !ours.has(name) && !ofPayments.has(name))).toEqual([]);
  expect(head).toMatch(/^cache-control: no-store\r$/im);
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
}

/** Asserts that nothing is held any more: no payment is claimed, and no payer has a sum open. */
export async function expectNothingHeld({ ground }: HostUnderTest): Promise<void> {
  const held = async (): Promise<string | undefined> => {
    const text = `select (select count(*) from keyfare.payment where state = 'claimed')::text || ' claimed, ' ||
      (select coalesce(sum(open), 0) from keyfare.payer_exposure)::text || ' open' as held`;
    return (await rows<{ held: string }>(ground.database.url, text))[0]?.held;
  };
  expect(await settled(held, '0 claimed, 0 open')).toBe('0 claimed, 0 open');
}

/** How many responses the log says were not finished; the line is written when the hold has been seen to. */
export function abortedLines({ lines }: GateUnderTest): number {
  return lines.filter((line) => line.includes('"aborted":true')).length;
}
