import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Header, HttpCode, Param, Post, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Free, Priced } from '../src/tariff.js';
import { openGround, startGate } from './gate-under-test.js';
import { settled } from './requests.js';
import {
  expectCharged,
  expectFree,
  expectProblem,
  type HostUnderTest,
  openHost,
  type Rail,
  rails,
  rawBytes,
  wire,
} from './way-out-under-test.js';

/** A stream of a kind of its own: its return type names neither Node's nor Nest's class. */
class Report extends Readable {}

@Controller()
class DeclaredController {
  @Priced({ sku: 'file', price: '$0.001' })
  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Buffer.from('x'));
  }

  @Priced({ sku: 'readable', price: '$0.001' })
  @Get('readable')
  readable(): Readable {
    return Readable.from(['x']);
  }

  @Priced({ sku: 'report', price: '$0.001' })
  @Get('report')
  report(): Report {
    return new Report();
  }

  @Priced({ sku: 'web', price: '$0.001' })
  @Get('web')
  web(): ReadableStream {
    return new ReadableStream();
  }

  @Priced({ sku: 'text', price: '$0.001' })
  @Get('text')
  text(): string {
    return 'whole';
  }

  @Free()
  @Get('free')
  free(): StreamableFile {
    return new StreamableFile(Buffer.from('x'));
  }
}

describe('the boot', () => {
  it('stops at priced routes whose return type is a stream and names them; a free route may stream', async () => {
    const ground = await openGround();
    try {
      const boot = startGate(ground, { controllers: [DeclaredController] });
      const message = await boot.then(
        async (gate) => gate.close().then(() => 'it started'),
        (error: Error) => error.message,
      );
      const names = ['file', 'readable', 'report', 'web'].map((name) => `DeclaredController.${name}`);
      expect(message).toContain(`streams are returned by: ${names.join(', ')}.`);
      expect(message).not.toContain('DeclaredController.free');
    } finally {
      await ground.close();
    }
  }, 60_000);
});

/** What a handler may stream, by name; a test sees whether what it opened was closed. */
const opened: { closed: number; streams: number } = { closed: 0, streams: 0 };
function counted(): Readable {
  opened.streams += 1;
  const stream = Readable.from(['a part', 'another'], { objectMode: false });
  return stream.once('close', () => {
    opened.closed += 1;
  });
}
const streams: Readonly<Record<string, () => unknown>> = {
  file: () => new StreamableFile(counted(), { type: 'image/png', disposition: 'attachment; filename="a.png"' }),
  'file-of-bytes': () => new StreamableFile(Buffer.from('all of it')),
  readable: counted,
  web: () => Readable.toWeb(counted()),
  iterable: async function* parts() {
    yield 'a part';
    yield 'another';
  },
};

@Controller()
class StreamController {
  @Priced({ sku: 'stream', price: '$0.001' })
  @Get('priced/stream/:what')
  @Header('x-mine', 'yes')
  @Header('etag', '"1"')
  async stream(@Param('what') what: string): Promise<unknown> {
    return streams[what]?.();
  }

  @Priced({ sku: 'broken', price: '$0.001' })
  @Post('priced/broken')
  @HttpCode(200)
  async broken(): Promise<unknown> {
    return new Readable({ read() {} }).destroy(new Error('the source failed'));
  }

  @Priced({ sku: 'hints', price: '$0.001' })
  @Get('priced/hints')
  hints(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return hint(reply);
  }

  @Free()
  @Get('free/hints')
  freeHints(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return hint(reply);
  }

  @Priced({ sku: 'alias', price: '$0.001' })
  @Get('priced/alias')
  alias(@Res({ passthrough: true }) reply: FastifyReply): object {
    (reply.raw as unknown as { writeHeader(status: number, headers: object): void }).writeHeader(200, {
      'x-mine': '1',
    });
    return { and: 'this' };
  }

  @Priced({ sku: 'trailed', price: '$0.001' })
  @Get('priced/trailed/:how')
  trailed(@Param('how') how: string, @Res({ passthrough: true }) reply: FastifyReply): unknown {
    void reply.trailer('x-sum', (_reply, _payload, done) => done(null, 'trailed'));
    reply.raw.addTrailers({ 'x-raw-sum': 'trailed' });
    if (how === 'unsendable') void reply.header('x-mine', 'line\r\nbreak');
    return how === 'streamed' ? counted() : 'with a trailer';
  }
}

/** Waits until Node says that both were written, as a careful handler does. */
async function hint(reply: FastifyReply): Promise<object> {
  await new Promise<void>((written) => reply.raw.writeEarlyHints({ link: '</a.css>; rel=preload' }, written));
  await new Promise<void>((written) => {
    reply.raw.writeProcessing();
    written();
  });
  return { hinted: true };
}

describe('streams, hints and trailers of a handler', () => {
  let host: HostUnderTest;
  beforeAll(async () => {
    host = await openHost({ controllers: [StreamController] });
  }, 60_000);
  afterAll(() => host.close(), 60_000);

  const raw = async (path: string, rail: Rail) => {
    const { headers } = await host.credential(rail);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const request = `GET ${path} HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n${lines.join('')}\r\n`;
    return rawBytes(host.gate, request);
  };

  describe.each(rails)('on the rail %s', (rail) => {
    it.each(Object.keys(streams))(
      'a stream is refused uncharged, with none of its headers, and is closed: %s',
      async (what) => {
        const before = await host.charges();
        const { headers, nonce } = await host.credential(rail);
        const answer = await wire(host.gate, `/priced/stream/${what}`, { headers });
        expect(answer.status).toBe(500);
        await expectProblem(host.gate, answer, 'answer/streamed');
        expect(answer.headers.has('content-disposition')).toBe(false);
        expect(answer.body.toString()).not.toContain('a part');
        expect(await settled(async () => opened.closed, opened.streams)).toBe(opened.streams);
        await expectCharged(host, before, 'nothing');
        if (nonce !== undefined) await expectFree(host, nonce);
      },
    );

    it('a stream that is broken is refused uncharged, and the process goes on', async () => {
      const before = await host.charges();
      const { headers, nonce } = await host.credential(rail);
      const answer = await wire(host.gate, '/priced/broken', { method: 'POST', headers });
      expect([answer.status, answer.headers.has('receipt-id')]).toEqual([500, false]);
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
      expect((await wire(host.gate, '/free/hints')).status).toBe(200);
    });

    it('early hints and interim responses do not leave, and their handler goes on as if they had', async () => {
      const before = await host.charges();
      const { head } = await raw('/priced/hints', rail);
      expect(head).toMatch(/^HTTP\/1\.1 200 /);
      expect(head).not.toMatch(/^HTTP\/1\.1 10[23]|a\.css/m);
      await expectCharged(host, before, rail);
    });

    it('the deprecated alias that writes a head is refused uncharged like the method', async () => {
      const before = await host.charges();
      const { headers, nonce } = await host.credential(rail);
      const answer = await wire(host.gate, '/priced/alias', { headers });
      await expectProblem(host.gate, answer, 'answer/unsendable');
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
    });

    it('trailers leave after an answer that was posted', async () => {
      const before = await host.charges();
      const { head, body } = await raw('/priced/trailed/well', rail);
      expect(head).toMatch(/^HTTP\/1\.1 200 [^]*\r\nreceipt-id: /i);
      expect(body.toString()).toMatch(/with a trailer\r\n0\r\n[^]*x-sum: trailed/);
      await expectCharged(host, before, rail);
    });

    it.each(['streamed', 'unsendable'])(
      'trailers do not leave with a refusal in the place of the answer: %s',
      async (how) => {
        const before = await host.charges();
        const { head, body } = await raw(`/priced/trailed/${how}`, rail);
        expect(head).toMatch(/^HTTP\/1\.1 500 /);
        expect(`${head}${body.toString()}`).not.toMatch(/trailer|x-sum|x-raw-sum|trailed/i);
        await expectCharged(host, before, 'nothing');
      },
    );
  });

  it('hints do leave a free route: the tests above can fail', async () => {
    const request = 'GET /free/hints HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n\r\n';
    const { head, body } = await rawBytes(host.gate, request);
    expect(head).toMatch(/^HTTP\/1\.1 103 [^]*a\.css/);
    expect(body.toString()).toMatch(/102 Processing[^]*HTTP\/1\.1 200 /);
  });
});
