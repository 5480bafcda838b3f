import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';

/** A refusal does not wait for the body; what comes of it afterwards must not stand in the way of the next request. */
describe('a connection on which a request was refused before its body was read', () => {
  let ground: Ground;
  let gate: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);

  const send = async (
    agent: Agent,
    { method, path, headers = {}, body }: { method: string; path: string; headers?: object; body?: Buffer },
  ): Promise<{ status: number; port: number | undefined }> => {
    const { hostname, port } = new URL(gate.url);
    const sent = request({ agent, hostname, port, method, path, headers: { ...headers } });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return { status: response.statusCode ?? 0, port: sent.socket?.localPort };
  };

  it.each([
    ['no credential', 'POST', '/echo', {}, 402],
    ['a wrong key', 'POST', '/echo', { 'x-api-key': 'kf_test_wrong' }, 401],
    ['a type that is not read', 'POST', '/echo', { 'x-api-key': 'key', 'content-type': 'text/csv' }, 415],
    ['an address that does not exist', 'POST', '/nothing', {}, 404],
    ['a method that the address does not take', 'PUT', '/echo', {}, 405],
  ] as const)(
    '(%s) serves the next one',
    async (_why, method, path, extra, status) => {
      const { secret } = await gate.issueKey();
      const headers = {
        'content-type': 'application/json',
        ...extra,
        ...('x-api-key' in extra && extra['x-api-key'] === 'key' ? { 'x-api-key': secret } : {}),
      };
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const size of [10, 100_000, 900_000]) {
        const body = Buffer.from(JSON.stringify('x'.repeat(size)));
        expect((await send(agent, { method, path, headers, body })).status).toBe(status);
        expect((await send(agent, { method: 'GET', path: '/free' })).status).toBe(200);
      }
      agent.destroy();
    },
    30_000,
  );

  it.each([
    ['a body that is too large', 'x'.repeat(2_000_000), 413],
    ['a body that is no JSON', `{${'x'.repeat(900_000)}`, 400],
    ['a form that is refused', `__proto__=1&x=${'x'.repeat(900_000)}`, 400],
  ])(
    '(%s) gives its answer to a client that writes on, and serves the next one',
    async (why, text, status) => {
      const { secret } = await gate.issueKey();
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const type = why.includes('form') ? 'application/x-www-form-urlencoded' : 'application/json';
      const headers = { 'content-type': type, 'x-api-key': secret };
      const ports = new Set<number | undefined>();
      for (let round = 0; round < 5; round += 1) {
        const body = Buffer.from(status === 413 ? JSON.stringify(text) : text);
        const refused = await send(agent, { method: 'POST', path: '/echo', headers, body });
        expect(refused.status).toBe(status);
        const next = await send(agent, { method: 'GET', path: '/free' });
        expect(next.status).toBe(200);
        ports.add(refused.port).add(next.port);
      }
      expect(ports.size).toBe(1);
      agent.destroy();
    },
    30_000,
  );

  it('(a body of more bytes than would be read) is closed', async () => {
    const { secret } = await gate.issueKey();
    const { hostname, port } = new URL(gate.url);
    const sent = request({
      hostname,
      port,
      method: 'POST',
      path: '/echo',
      headers: { 'content-type': 'application/json', 'x-api-key': secret, 'content-length': '100000000' },
    });
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    expect(response.headers.connection).toBe('close');
    sent.destroy();
  }, 30_000);

  /** Writes a head and a part of the body, waits for the answer's first bytes, and only then writes on. */
  const writeOn = async (head: readonly string[], body: Buffer): Promise<string> => {
    const { hostname, port } = new URL(gate.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const first = once(socket, 'data');
    const ended = once(socket, 'end');
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.write(body.subarray(0, 1_000));
    await first;
    // An error of the socket rejects each of these.
    for (let at = 1_000; at < body.length; at += 500_000) {
      const isTaken = socket.write(body.subarray(at, at + 500_000));
      if (!isTaken) await once(socket, 'drain');
      await new Promise((turn) => setImmediate(turn));
    }
    await ended;
    socket.end();
    await once(socket, 'close');
    return text;
  };

  it.each([
    ['no credential', [], 800_000, 402],
    ['a body that is too large', ['x-api-key: key'], 2_000_000, 413],
  ] as const)(
    '(%s) that its client asked to close is closed when the client has written on, and not reset before',
    async (_why, extra, size, status) => {
      const { secret } = await gate.issueKey();
      const head = [
        'POST /echo HTTP/1.1',
        'host: gate',
        'connection: close',
        'content-type: application/json',
        `content-length: ${String(size)}`,
        ...extra.map((line) => line.replace(/key$/, secret)),
      ];
      const answer = await writeOn(head, Buffer.alloc(size, 'x'));
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
      expect(answer).toMatch(/"status":\d+[^]*\}$/);
      expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    },
    30_000,
  );

  it('and that its client asked to close serves no request behind the body, and does not wait for ever', async () => {
    const head = ['POST /echo HTTP/1.1', 'host: gate', 'connection: close', 'content-length: 20000'];
    const next = '\r\nGET /free HTTP/1.1\r\nhost: gate\r\n\r\n';
    const answer = await writeOn(head, Buffer.concat([Buffer.alloc(20_000, 'x'), Buffer.from(next)]));
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    const { hostname, port } = new URL(gate.url);
    const slow = connect({ port: Number(port), host: hostname, allowHalfOpen: true }).resume();
    slow.write(`${head.join('\r\n')}\r\n\r\nx`);
    // It never ends its side; once ours is gone, what it writes is answered by a reset.
    const beat = setInterval(() => slow.write('x'), 100);
    await new Promise<void>((resolve) => slow.on('error', () => undefined).once('close', () => resolve()));
    clearInterval(beat);
  }, 30_000);
});
