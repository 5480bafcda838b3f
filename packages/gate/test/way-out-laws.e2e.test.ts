import { callRpc } from '@keyfare/devstack/chain';
import { randomNonce, signAuthorization } from '@keyfare/devstack/payers';
import { openTcpProxy, type TcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { type GateUnderTest, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, submitAsStranger, withKey } from './requests.js';
import {
  abortedLines,
  expectNothingHeld,
  holdPosts,
  LawController,
  lateEnds,
  openConnection,
  refusedRich,
  requestText,
} from './way-out-laws-under-test.js';
import {
  expectCharged,
  expectFree,
  expectProblem,
  expectReceiptIsWire,
  type HostUnderTest,
  openHost,
  type Rail,
  rails,
  wire,
} from './way-out-under-test.js';

/** Hooks of a host that answer in the place of routes, or rewrite what leaves, where a request says so. */
function addHooks(app: NestFastifyApplication): void {
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.addHook('preHandler', async (request, reply) => {
    const shortcut = request.headers['x-shortcut'];
    if (shortcut === undefined) return undefined;
    return reply.status(Number(shortcut)).header('location', '/free/ping').header('x-mine', 'yes').send('for nothing');
  });
  fastify.addHook('onSend', async (request, reply, payload) => {
    if (request.headers['x-rewrite'] === undefined) return payload;
    void reply.status(202).type('text/x-rewritten').removeHeader('content-length');
    return 'rewritten by the host';
  });
}

let host: HostUnderTest;
/** Gates on the same ground that are short of patience. */
let hasty: GateUnderTest;
let impatient: GateUnderTest;
/** A gate whose database can be cut off. */
let cutOff: GateUnderTest;
let database: TcpProxy;

beforeAll(async () => {
  host = await openHost({ controllers: [LawController], prepare: addHooks });
  const url = new URL(host.ground.database.url);
  database = await openTcpProxy(Number(url.port));
  const proxied = new URL(url);
  Object.assign(proxied, { hostname: '127.0.0.1', port: String(database.port) });
  const start = (env: Record<string, string>) => startGate(host.ground, { controllers: [LawController], env });
  hasty = await start({ SETTLE_TIMEOUT_MS: '500' });
  impatient = await start({ HANDLER_TIMEOUT_MS: '300' });
  cutOff = await start({ MIGRATION_DATABASE_URL: url.href, DATABASE_URL: proxied.href });
}, 120_000);
afterAll(async () => {
  await Promise.all([hasty, impatient, cutOff].map((gate) => gate.close()));
  await database.close();
  await host.close();
}, 60_000);
beforeEach(() => {
  TestController.work.runs = 0;
  LawController.ended = 0;
});
afterEach(() => TestController.work.resume());

/** Headers of a credential that buys one call: a payment, or the key of an account with one unit. */
async function credentialForOne(rail: Rail): Promise<{ headers: Record<string, string>; nonce?: string }> {
  if (rail === 'x402') return host.credential('x402');
  return withKey((await host.gate.issueKey({ includedUnits: 1n })).secret);
}

const entryOf = async (head: string) => {
  const id = /^receipt-id: (\S+)/im.exec(head)?.[1];
  return rows(host.ground.database.url, `select 1 from keyfare.entry where kind = 'call' and id = $1`, [id]);
};

describe.each(rails)('law 1: no answer below 400 leaves a priced route unless it was posted (by %s)', (rail) => {
  it('not a byte has come while its post waits; when it has, its entry is in the log', async () => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const posts = await holdPosts(host.ground.database.url);
    const connection = openConnection(host.gate);
    try {
      connection.send(requestText('/priced/rich', headers));
      await posts.reached();
      expect(connection.text()).toBe('');
    } finally {
      await posts.release();
    }
    const head = await connection.until(/\r\n\r\n/);
    expect(head).toMatch(/^HTTP\/1\.1 201 Of-the-handler\r\n[^]*\r\nset-cookie: a=of-the-handler\r\n/);
    expect(await entryOf(head)).toHaveLength(1);
    connection.leave();
    await expectCharged(host, before, rail);
  });

  it.each(['200', '204', '302', '304'])('a host’s hook that answers %s in its place is refused', async (status) => {
    const before = await host.charges();
    const { headers, nonce } = await host.credential(rail);
    for (const extra of [headers, {}]) {
      const answer = await wire(host.gate, '/priced/ping', { headers: { ...extra, 'x-shortcut': status } });
      await expectProblem(host.gate, answer, 'answer/unposted');
      expect(answer.body.toString()).not.toContain('for nothing');
    }
    await expectCharged(host, before, 'nothing');
    if (nonce !== undefined) await expectFree(host, nonce);
  });
});

describe.each(rails)('law 2: what the receipt says is what leaves (by %s)', (rail) => {
  it('of an answer that a hook of the host’s rewrites last', async () => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const answer = await wire(host.gate, '/priced/ping', { headers: { ...headers, 'x-rewrite': 'yes' } });
    expect([answer.status, answer.type, answer.body.toString()]).toEqual([
      202,
      'text/x-rewritten',
      'rewritten by the host',
    ]);
    await expectReceiptIsWire(host.gate, answer);
    await expectCharged(host, before, rail);
  });

  it('of an answer whose handler goes on changing it while it is posted', async () => {
    const before = await host.charges();
    const { headers } = await host.credential(rail);
    const posts = await holdPosts(host.ground.database.url);
    const answering = wire(host.gate, '/priced/kept', { headers });
    try {
      await posts.reached();
      LawController.buffer.fill('b');
      void LawController.reply?.status(207).type('text/late').header('x-mine', 'late').header('x-more', 'late');
      LawController.reply?.raw.setHeader('set-cookie', 'late=1');
      LawController.reply?.removeHeader('cache-control');
    } finally {
      await posts.release();
    }
    const answer = await answering;
    expect([answer.status, answer.type, answer.body.toString()]).toEqual([200, 'text/plain', 'a'.repeat(64)]);
    const { headers: sent } = answer;
    expect([sent.get('x-mine'), sent.get('x-more'), sent.get('set-cookie')]).toEqual(['early', null, null]);
    await expectReceiptIsWire(host.gate, answer);
    await expectCharged(host, before, rail);
  });
});

describe('law 3: nothing of a paid answer leaves before the money is sure, and a refusal carries none of it', () => {
  it('payment: a settlement that fails is a 402 with nothing of the handler’s', async () => {
    const before = await host.charges();
    const { payer, ground } = host;
    const nonce = randomNonce();
    const { v2 } = await signPayment(ground, payer, { nonce });
    const other = await signAuthorization({ payer, to: payer.address, value: 1n, nonce, validBefore: 4_000_000_000n });
    TestController.work.pause();
    const refused = refusedRich(host.gate, v2, 'payment/failed');
    expect(await settled(async () => TestController.work.runs, 1)).toBe(1);
    await submitAsStranger(ground, other);
    TestController.work.resume();
    await refused;
    await expectCharged(host, before, 'nothing');
    await expectNothingHeld(host);
  });

  it('payment: an unknown outcome is a 503 with nothing of the handler’s; once it is known the same payment gets it all', async () => {
    const before = await host.charges();
    const { headers } = await host.credential('x402');
    await automine(false);
    try {
      await refusedRich(hasty, headers, 'payment/outcome-unknown');
    } finally {
      await automine(true);
    }
    expect(await settled(async () => (await wire(hasty, '/priced/rich', { headers })).status, 201)).toBe(201);
    expect(TestController.work.runs).toBe(1);
    const again = await wire(hasty, '/priced/rich', { headers });
    expect([again.headers.get('etag'), again.body.toString()]).toEqual(['"of-the-handler"', 'of-the-handler']);
    await expectCharged(host, before, 'x402');
  });

  it.each(rails)(
    '%s: a post without a database is a 503 with nothing of the handler’s, and costs nothing',
    async (rail) => {
      const before = await host.charges();
      const { headers } = await credentialForOne(rail);
      TestController.work.pause();
      const refused = refusedRich(cutOff, headers, 'service/database-unavailable');
      try {
        expect(await settled(async () => TestController.work.runs, 1)).toBe(1);
        database.cut();
        TestController.work.resume();
        await refused;
      } finally {
        database.mend();
      }
      await expectCharged(host, before, 'nothing');
      // The one unit, or the payment, is free again.
      expect(await settled(async () => (await wire(cutOff, '/priced/rich', { headers })).status, 201)).toBe(201);
      await expectCharged(host, before, rail);
    },
  );
});

describe.each(rails)('law 4: every hold ends, whatever throws, hangs or disconnects (by %s)', (rail) => {
  it.each(Object.keys(lateEnds))(
    'a handler whose time is over, and that then %s: one answer, uncharged',
    async (how) => {
      const before = await host.charges();
      const { headers, nonce } = await credentialForOne(rail);
      TestController.work.pause();
      const connection = openConnection(impatient);
      connection.send(requestText(`/priced/late/${encodeURIComponent(how)}`, headers));
      await connection.until(/^HTTP\/1\.1 504 [^]*\r\n\r\n\{[^]*"code":"service\/timeout"\}/);
      TestController.work.resume();
      expect(await settled(async () => LawController.ended, 1)).toBe(1);
      connection.send(requestText('/free/ping', {}));
      const text = await connection.until(/"free":true/);
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 504', 'HTTP/1.1 200']);
      expect(text).not.toMatch(/late-mark/);
      connection.leave();
      await expectCharged(host, before, 'nothing');
      if (nonce !== undefined) await expectFree(host, nonce);
      await expectNothingHeld(host);
      // The last unit may be leased by the other gate, which is asked for it: 429 until it has answered.
      expect(await settled(async () => (await call(host.gate, '/priced/ping', { headers })).status, 200)).toBe(200);
      await expectCharged(host, before, rail);
    },
  );

  it('a caller who leaves while the call is posted is charged once, and nothing stays held', async () => {
    const before = await host.charges();
    const { headers } = await credentialForOne(rail);
    const aborted = abortedLines(host.gate);
    const posts = await holdPosts(host.ground.database.url);
    const connection = openConnection(host.gate);
    try {
      connection.send(requestText('/priced/rich', headers));
      await posts.reached();
      connection.leave();
      expect(await settled(async () => abortedLines(host.gate), aborted + 1)).toBe(aborted + 1);
    } finally {
      await posts.release();
    }
    await expectCharged(host, before, rail);
    await expectNothingHeld(host);
    const again = await wire(host.gate, '/priced/rich', { headers });
    // The unit is used; the payment gets the answer that it bought.
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual(
      rail === 'key' ? [429, null] : [201, 'true'],
    );
    expect(TestController.work.runs).toBe(1);
    await expectCharged(host, before, rail);
  });
});

describe('law 4: a caller who leaves while the payment is settled', () => {
  it('has paid once: the call is posted, nothing stays held, and the same payment gets the answer', async () => {
    const before = await host.charges();
    const { headers, nonce } = await host.credential('x402');
    const aborted = abortedLines(host.gate);
    const isSent = `select 1 from keyfare.payment where nonce = $1 and state = 'settling' and wallet_nonce is not null`;
    await automine(false);
    const connection = openConnection(host.gate);
    try {
      connection.send(requestText('/priced/rich', headers));
      expect(await settled(async () => (await rows(host.ground.database.url, isSent, [nonce])).length, 1)).toBe(1);
      connection.leave();
      expect(await settled(async () => abortedLines(host.gate), aborted + 1)).toBe(aborted + 1);
    } finally {
      await automine(true);
    }
    await expectCharged(host, before, 'x402');
    await expectNothingHeld(host);
    const again = await wire(host.gate, '/priced/rich', { headers });
    expect([again.status, again.headers.get('idempotent-replay'), again.body.toString()]).toEqual([
      201,
      'true',
      'of-the-handler',
    ]);
    expect(TestController.work.runs).toBe(1);
  });
});

describe('law 4: a payment that moved before its handler ran', () => {
  const kinds = async (kind: string): Promise<number> =>
    (await rows(host.ground.database.url, 'select 1 from keyfare.entry where kind = $1', [kind])).length;

  it.each([
    ['its caller leaves', () => host.gate],
    ['its handler’s time is over', () => impatient],
  ] as const)('is owed back, once, when %s; what the handler returns later is not sold', async (_how, gateOf) => {
    const gate = gateOf();
    const [calls, refunds] = [await kinds('call'), await kinds('refund-due')];
    const { headers } = await host.credential('x402');
    const aborted = abortedLines(gate);
    TestController.work.pause();
    const connection = openConnection(gate);
    connection.send(requestText('/priced/upfront', headers));
    expect(await settled(async () => TestController.work.runs, 1)).toBe(1);
    if (gate === impatient) await connection.until(/^HTTP\/1\.1 504 [^]*"code":"service\/timeout"\}/);
    connection.leave();
    const left = aborted + (gate === host.gate ? 1 : 0);
    expect(await settled(async () => abortedLines(gate), left)).toBe(left);
    TestController.work.resume();
    expect(await settled(async () => LawController.ended, 1)).toBe(1);
    expect(await settled(() => kinds('refund-due'), refunds + 1)).toBe(refunds + 1);
    const again = await call(gate, '/priced/upfront', { headers });
    expect([again.status, again.body['code'], TestController.work.runs]).toEqual([409, 'payment/refund-due', 1]);
    expect([await kinds('call'), await kinds('refund-due')]).toEqual([calls, refunds + 1]);
    await expectNothingHeld(host);
  });
});

async function automine(on: boolean): Promise<void> {
  const { chain } = host.ground;
  await callRpc(chain.rpcUrl, 'evm_setAutomine', [on]);
  if (on) await chain.mine();
}
