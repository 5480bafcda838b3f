import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Header, HttpCode, Redirect, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Free, Priced } from '../src/tariff.js';
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

const words = 'so many words '.repeat(200);

/** What handlers do to answer, by name: each is a priced route and a free one. */
const answers: Readonly<Record<string, (reply: FastifyReply) => unknown>> = {
  text: () => 'text with ünïcode',
  object: () => ({ an: 'object' }),
  list: () => [1, 2, 3],
  buffer: () => Buffer.from([0, 255, 1, 254]),
  'buffer-of-a-type': (reply) => (void reply.header('content-type', 'image/png'), Buffer.from([1, 2, 3])),
  null: () => null,
  undefined: () => undefined,
  'empty-text': () => '',
  number: () => 42,
  'headers-and-cookies': (reply) => {
    void reply.header('x-mine', 'a').header('etag', '"1"').header('set-cookie', 'a=1').header('set-cookie', 'b=2');
    reply.raw.setHeader('x-raw', 'yes');
    return { with: 'headers' };
  },
  'status-of-its-own': (reply) => (void reply.status(203), { status: 203 }),
  'not-modified': (reply) => (void reply.status(304).header('content-type', 'text/plain'), 'dropped'),
  'reset-content': (reply) => (void reply.status(205), 'dropped'),
  'wrong-length': (reply) => (void reply.header('content-length', '3'), 'longer than three'),
  'long-text': () => 'x'.repeat(400_000),
  'long-buffer': () => Buffer.alloc(400_000, 7),
  gzip: (reply) => (void reply.header('content-encoding', 'gzip').type('text/plain'), gzipSync(words)),
  trailers: (reply) => (void reply.trailer('x-sum', (_reply, _payload, done) => done(null, 'sum')), 'with a trailer'),
  response: () => new Response('of fetch', { status: 200, headers: { 'content-type': 'text/x-mine', 'x-mine': '1' } }),
  'response-created': () => Response.json({ made: true }, { status: 201 }),
  'response-empty': () => new Response(null, { status: 204 }),
  'response-streamed': () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const part of ['in ', 'three ', 'parts']) controller.enqueue(new TextEncoder().encode(part));
          controller.close();
        },
      }),
      { headers: { 'content-type': 'text/plain' } },
    ),
  'two-types': (reply) => (void reply.header('content-type', ['text/plain', 'text/html']), Buffer.from('x')),
  'upstream-404': () => new Response('no such city', { status: 404, headers: { 'content-type': 'text/plain' } }),
  'upstream-503': () => Response.json({ resting: true }, { status: 503 }),
  function: () => () => 'never called',
  'to-json-undefined': () => ({ toJSON: () => undefined }),
  bigint: () => ({ big: 10n }),
  thrown: () => {
    throw new Error('the handler failed');
  },
  'wrong-gzip': (reply) => (void reply.header('content-encoding', 'gzip').header('etag', '"1"'), 'not gzip'),
  'unknown-coding': (reply) => (void reply.header('content-encoding', 'mine'), Buffer.from('x')),
  'response-decoded': () => new Response('decoded by fetch', { headers: { 'content-encoding': 'gzip' } }),
  'bad-header': (reply) => (void reply.header('x-mine', 'line\r\nbreak'), 'x'),
  'bad-raw-reason': (reply) => ((reply.raw.statusMessage = 'a\r\nb'), 'x'),
  'bad-header-name': (reply) => (void reply.header('x mine', 'a'), 'x'),
  'bad-header-symbol': (reply) => (void reply.header('x-mine', Symbol('s')), 'x'),
  chunked: (reply) => (void reply.header('transfer-encoding', 'chunked'), 'x'),
  'interim-status': (reply) => (void reply.status(103), 'x'),
  'raw-end': (reply) => (reply.raw.end('raw'), undefined),
  'raw-write': (reply) => (reply.raw.write('raw'), reply.raw.end('more'), { and: 'this' }),
  'raw-head': (reply) => (reply.raw.writeHead(200, { 'x-mine': '1' }), 'x'),
  'raw-flush': (reply) => (reply.raw.flushHeaders(), 'x'),
  'raw-later': (reply) => new Promise(() => setImmediate(() => (reply.raw.write('raw'), reply.raw.end()))),
  hijack: (reply) => (void reply.hijack(), reply.raw.end('taken over'), undefined),
  'hijack-and-hang': (reply) => (void reply.hijack(), new Promise(() => undefined)),
};
/** Nest makes a stream of a `Response` that has a body, which cannot be told from a handler's own. */
const streamed = ['response', 'response-created', 'response-streamed', 'response-decoded'];
const served = Object.keys(answers)
  .slice(0, Object.keys(answers).indexOf('upstream-404'))
  .filter((name) => !streamed.includes(name));
const refusedAsFree = ['upstream-404', 'upstream-503', 'bigint', 'thrown'];

@Controller()
class DecoratedController {
  @Priced({ sku: 'no-content', price: '$0.001' })
  @HttpCode(204)
  @Get('priced/decorated-204')
  pricedNoContent(): object {
    return { dropped: true };
  }

  @Free()
  @HttpCode(204)
  @Get('free/decorated-204')
  freeNoContent(): object {
    return { dropped: true };
  }

  @Priced({ sku: 'redirect', price: '$0.001' })
  @Redirect('https://elsewhere.test/', 302)
  @Get('priced/decorated-redirect')
  pricedRedirect(): void {
    // Nest answers.
  }

  @Free()
  @Redirect('https://elsewhere.test/', 302)
  @Get('free/decorated-redirect')
  freeRedirect(): void {
    // Nest answers.
  }

  @Priced({ sku: 'header', price: '$0.001' })
  @Header('x-mine', 'decorated')
  @Header('content-type', 'application/ld+json')
  @Get('priced/decorated-header')
  pricedHeader(): object {
    return { '@id': 1 };
  }

  @Free()
  @Header('x-mine', 'decorated')
  @Header('content-type', 'application/ld+json')
  @Get('free/decorated-header')
  freeHeader(): object {
    return { '@id': 1 };
  }
}
const decorated = ['decorated-204', 'decorated-redirect', 'decorated-header'];

/** One class with a route of each tariff for each way to answer. */
function answering(): new () => object {
  class AnswersController {}
  const prototype = AnswersController.prototype as unknown as Record<string, (reply: FastifyReply) => unknown>;
  for (const [name, answer] of Object.entries(answers)) {
    for (const tariff of ['priced', 'free'] as const) {
      const method = `${tariff} ${name}`;
      prototype[method] = (reply) => answer(reply);
      const descriptor = Object.getOwnPropertyDescriptor(prototype, method) ?? {};
      Get(`${tariff}/${name}`)(prototype, method, descriptor);
      (tariff === 'free' ? Free() : Priced({ sku: 'answers', price: '$0.001' }))(prototype, method, descriptor);
      Res({ passthrough: true })(prototype, method, 0);
      Object.defineProperty(prototype, method, descriptor);
    }
  }
  Controller()(AnswersController);
  return AnswersController;
}

/** Headers that belong to the connection, the moment, or the receipt. */
const besides = new Set([
  'date',
  'connection',
  'keep-alive',
  'cache-control',
  'content-length',
  'transfer-encoding',
  'keyfare-receipt',
  'receipt-id',
  'payment-response',
]);
const hostHeaders = (headers: Headers): [string, string][] => [...headers].filter(([name]) => !besides.has(name));

describe('what a handler answers', () => {
  let host: HostUnderTest;

  beforeAll(async () => {
    host = await openHost({ controllers: [answering(), DecoratedController] });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  describe.each(rails)('on the rail %s', (rail) => {
    it.each([...served, ...decorated])(
      'leaves as it would from a free route, is what the receipt says, and is charged once: %s',
      async (what) => {
        const before = await host.charges();
        const free = await wire(host.gate, `/free/${what}`);
        const { headers } = await host.credential(rail);
        const answer = await wire(host.gate, `/priced/${what}`, { headers });
        expect(answer.body.equals(free.body)).toBe(true);
        expect([answer.status, hostHeaders(answer.headers)]).toEqual([free.status, hostHeaders(free.headers)]);
        await expectReceiptIsWire(host.gate, answer);
        await expectCharged(host, before, rail);
      },
    );

    it.each(refusedAsFree)('costs nothing where it is a refusal, and leaves as from a free route: %s', async (what) => {
      const before = await host.charges();
      const free = await wire(host.gate, `/free/${what}`);
      const { headers, nonce } = await host.credential(rail);
      const answer = await wire(host.gate, `/priced/${what}`, { headers });
      const shown = ({ body }: { body: Buffer }) => body.toString().replaceAll(/urn:uuid:[^"]*/g, '');
      expect([answer.status, answer.type, shown(answer)]).toEqual([free.status, free.type, shown(free)]);
      expect(answer.headers.get('receipt-id')).toBe(null);
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
    });

    it.each([
      'function',
      'bad-header',
      'bad-header-name',
      'bad-header-symbol',
      'bad-raw-reason',
      'chunked',
      'to-json-undefined',
      'interim-status',
      'raw-end',
      'raw-write',
      'raw-head',
      'raw-flush',
      'raw-later',
      'hijack',
      'hijack-and-hang',
    ])('is refused uncharged where it cannot be sent as it was signed: %s', async (what) => {
      const before = await host.charges();
      const { headers, nonce } = await host.credential(rail);
      const answer = await wire(host.gate, `/priced/${what}`, { headers });
      expect(answer.status).toBe(500);
      await expectProblem(host.gate, answer, 'answer/unsendable');
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
    });

    it.each(streamed)('is refused uncharged where Nest makes a stream of it: %s', async (what) => {
      const before = await host.charges();
      const { headers, nonce } = await host.credential(rail);
      const answer = await wire(host.gate, `/priced/${what}`, { headers });
      await expectProblem(host.gate, answer, 'answer/streamed');
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
    });

    it.each(['wrong-gzip', 'unknown-coding'])(
      'is refused uncharged, readably, where a client could not decode it: %s',
      async (what) => {
        const before = await host.charges();
        const { headers } = await host.credential(rail);
        const answer = await wire(host.gate, `/priced/${what}`, { headers });
        expect(answer.status).toBe(500);
        await expectProblem(host.gate, answer, 'answer/unreadable');
        await expectCharged(host, before, 'nothing');
      },
    );
  });
});
