import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { ProblemCode } from '@keyfare/core/problem';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Post, StreamableFile } from '@nestjs/common';
import { Free } from '../src/tariff.js';
import { accessLines, exchange, expectReadableProblem, page, requestHead } from './edge-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { settled } from './requests.js';

const post = (headers: readonly string[]) => requestHead('POST /echo', headers);
const json = 'Content-Type: application/json';

/** What Node, Fastify and Nest refuse by themselves, each in a form of its own, if they are let. */
const refused: readonly (readonly [string, string, ProblemCode])[] = [
  ['a bad escape in the path', requestHead('GET /fail/%ff'), 'request/malformed'],
  ['half an escape in the path', requestHead('GET /fail/%4'), 'request/malformed'],
  ['NUL in the path', requestHead('GET /fail/a%00b'), 'request/malformed'],
  ['NUL in the query', requestHead('GET /ping?name=%00'), 'request/malformed'],
  [
    'a part of the path that is too long for the router',
    requestHead(`GET /fail/${'x'.repeat(300)}`),
    'request/uri-too-long',
  ],
  ['the absolute form of another host', requestHead('GET http://evil.example/ping'), 'request/malformed'],
  ['the absolute form of a free route', requestHead('GET http://evil.example/free'), 'request/malformed'],
  ['a fragment in the target', requestHead('GET /ping#paid'), 'request/malformed'],
  ['a target that is no path', requestHead('GET ping'), 'request/malformed'],
  ['no Host', `GET /ping HTTP/1.1\r\nOrigin: ${page}\r\nConnection: close\r\n\r\n`, 'request/malformed'],
  ['a tunnel', requestHead('CONNECT evil.example:443'), 'request/malformed'],
  ['a method that HTTP has not', requestHead('BREW /ping'), 'request/malformed'],
  ['a method that no route has', requestHead('TRACE /ping'), 'request/method-not-allowed'],
  ['no HTTP', `HELLO\r\nOrigin: ${page}\r\n\r\n`, 'request/malformed'],
  ['another protocol', `GET /ping HTTP/3.0\r\nOrigin: ${page}\r\n\r\n`, 'request/malformed'],
  ['a head that is too large', requestHead('GET /ping', [`X-Junk: ${'x'.repeat(20_000)}`]), 'request/header-too-large'],
  ['a header without a name', requestHead('GET /ping', [': x']), 'request/malformed'],
  ['a space before the colon of a header', requestHead('GET /ping', ['X-Junk : x']), 'request/malformed'],
  ['two lengths of one body', post([json, 'Content-Length: 2', 'Content-Length: 3']), 'request/malformed'],
  ['a length beside chunks', post([json, 'Content-Length: 2', 'Transfer-Encoding: chunked']), 'request/malformed'],
  ['an address that is not there', requestHead('GET /nowhere'), 'request/not-found'],
];

describe.each([
  ['any page', '*'],
  ['this page alone', page],
  ['this page among others', `https://other.test,${page}`],
])('what the server refuses, where %s may call,', (_whom, origins) => {
  let ground: Ground;
  let gate: GateUnderTest;
  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, { env: { CORS_ORIGINS: origins } });
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 60_000);

  it.each(refused)('is a problem that the page can read, and one access line: %s', async (_what, bytes, code) => {
    const before = gate.lines.length;
    const answer = await exchange(gate, bytes);
    expectReadableProblem(answer, code);
    const { instance } = JSON.parse(answer.body) as { instance: string };
    const lines = await accessLines(gate, before);
    expect(lines.map(({ status, problem, exchange: id }) => [status, problem, `urn:uuid:${String(id)}`])).toEqual([
      [answer.status, code, instance],
    ]);
  });

  it('is told of a body that breaks off, in the line of its exchange, and costs nothing', async () => {
    const { secret } = await gate.issueKey();
    const before = gate.lines.length;
    const head = post([json, `Authorization: Bearer ${secret}`, 'Transfer-Encoding: chunked']);
    expectReadableProblem(await exchange(gate, `${head}zz\r\nOrigin: ${page}\r\n`), 'request/malformed');
    expect(await accessLines(gate, before)).toMatchObject([
      { status: 400, problem: 'request/malformed', route: '/echo', rail: 'none' },
    ]);
  });

  it('lets the answer before it out: bytes behind a whole request do not take its answer away', async () => {
    const { secret } = await gate.issueKey();
    TestController.work.pause();
    const runs = TestController.work.runs;
    const text = `GET /ping HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer ${secret}\r\n\r\nGARBAGE\r\n\r\n`;
    const answer = exchange(gate, text);
    expect(await settled(async () => TestController.work.runs, runs + 1)).toBe(runs + 1);
    TestController.work.resume();
    const { status, headers, body } = await answer;
    expect([status, headers.has('keyfare-receipt'), JSON.parse(body)]).toEqual([
      200,
      true,
      { pong: true, run: runs + 1 },
    ]);
  });
});

@Controller()
class FreeController {
  @Free()
  @Get('broken-file')
  brokenFile(): StreamableFile {
    return new StreamableFile(Readable.from(failing()));
  }

  @Free()
  @Post('free-post')
  post(): object {
    return { posted: true };
  }
}

async function* failing(): AsyncGenerator<string> {
  await Promise.resolve();
  yield* [];
  throw new Error('secret-cause');
}

describe('what else the server layers answer by themselves', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, {
      controllers: [TestController, FreeController],
      env: { CORS_ORIGINS: `https://other.test,${page}` },
      prepare: (app) => app.enableCsrfProtection({ trustedOrigins: [page] }),
    });
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 60_000);

  it('is not said to a page that may not call: an unreadable request of it gets no permission', async () => {
    const before = gate.lines.length;
    const { status, headers } = await exchange(gate, 'HELLO\r\nOrigin: https://evil.test\r\n\r\n');
    expect([status, headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual([400, null, 'Origin']);
    expect(await accessLines(gate, before)).toHaveLength(1);
  });

  it('is a problem with its line when it is refused before every hook of the gate: a page of another site (Nest)', async () => {
    const before = gate.lines.length;
    const head = 'POST /free-post HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nOrigin: https://evil.test\r\n';
    const { status, headers, body } = await exchange(gate, `${head}Sec-Fetch-Site: cross-site\r\n\r\n`);
    expect([status, headers.get('content-type')?.split(';')[0]]).toEqual([403, 'application/problem+json']);
    const { instance } = JSON.parse(body) as { instance: string };
    expect(
      (await accessLines(gate, before)).map(({ exchange: id, ...line }) => [
        `urn:uuid:${String(id)}`,
        line['status'],
        line['route'],
      ]),
    ).toEqual([[instance, 403, '/free-post']]);
  });

  it('is a problem when the stream of a free file breaks (Nest)', async () => {
    const answer = await exchange(gate, requestHead('GET /broken-file'));
    expectReadableProblem(answer, 'service/internal');
    expect(answer.body).not.toContain('secret-cause');
  });

  it('is 408 for a request that does not come to its end in time (Node)', async () => {
    const before = gate.lines.length;
    const server = gate.app.getHttpServer();
    const arrived = new Promise<Socket>((resolve) => {
      server.once('connection', (socket: Socket) => socket.once('data', () => resolve(socket)));
    });
    const answer = exchange(gate, `GET /ping HTTP/1.1\r\nHost: api.test\r\nOrigin: ${page}\r\n`);
    // As Node does it when `requestTimeout` is over, which is a minute.
    const error = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    server.emit('clientError', error, await arrived);
    const { status, headers, body } = await answer;
    expect([status, headers.get('vary'), (JSON.parse(body) as { code: string }).code]).toEqual([
      408,
      'Origin',
      'request/timeout',
    ]);
    expect(await accessLines(gate, before)).toMatchObject([{ status: 408, problem: 'request/timeout' }]);
  });

  it('is left to the route: an expectation that nobody knows is ignored (RFC 9110 §10.1.1)', async () => {
    expectReadableProblem(await exchange(gate, requestHead('GET /ping', ['Expect: a-miracle'])), 'payment/required');
    expect((await exchange(gate, requestHead('GET /free', ['Expect: a-miracle']))).status).toBe(200);
  });

  it('leaves a caller who is gone alone: no line, no crash', async () => {
    const { port, hostname } = new URL(gate.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.resetAndDestroy());
      socket.on('close', () => resolve());
    });
    expect((await exchange(gate, requestHead('GET /free'))).status).toBe(200);
  });
});
