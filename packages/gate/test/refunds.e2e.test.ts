import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { mintUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAccount } from 'viem/accounts';
import { AdminModule } from '../src/admin/admin.module.js';
import { issueToken } from '../src/operators.js';
import { FlowsController } from './flows-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, signPayment } from './requests.js';
import { spawnGate } from './spawn-gate.js';

const price = 1_000n;
let ground: Ground;
let node: Proxy;
let payer: TestPayer;
let gates: { close(): Promise<void> }[];

beforeEach(async () => {
  ground = await openGround();
  node = await openProxy(ground.chain.rpcUrl);
  payer = await fundedPayer(ground.chain, 1);
  gates = [];
  FlowsController.fails = true;
}, 30_000);
afterEach(async () => {
  FlowsController.fails = false;
  await Promise.all(gates.map(async (gate) => gate.close()));
  await node.close();
  await ground.close();
}, 30_000);

const settler = (): `0x${string}` =>
  privateKeyToAccount((ground.env['SETTLER_PRIVATE_KEY'] ?? '0x') as `0x${string}`).address;

async function open(): Promise<GateUnderTest> {
  const gate = await startGate(ground, {
    controllers: [FlowsController],
    imports: [AdminModule.forRoot()],
    env: { RPC_URL: node.url, CONFIRMATIONS: '0', REPLICA_TTL_MS: '2000' },
  });
  gates.push(gate);
  return gate;
}

async function operator(gate: GateUnderTest, scopes: readonly string[] = ['read', 'write', 'money']) {
  const { id, token, hash } = issueToken();
  await rows(
    ground.database.url,
    `insert into keyfare.operator (id, name, scopes, token_hash, last_four, created_at, expires_at)
      values ($1, $1, $2, $3, $4, now(), now() + interval '1 day')`,
    [id, scopes, hash, token.slice(-4)],
  );
  return async (method: string, path: string, body?: object) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return call(gate, `/admin/refunds${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...json },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  };
}

/** A payment that moved, is final, and bought nothing: the entry that says so. */
async function owe(gate: GateUnderTest): Promise<string> {
  const { v2, nonce } = await signPayment(ground, payer);
  expect((await call(gate, '/upfront', { headers: v2 })).status).toBe(500);
  const text = `select e.id from keyfare.entry e join keyfare.payment p
    on p.nonce = convert_from(e.payload, 'UTF8')::jsonb ->> 'nonce'
    where e.kind = 'refund-due' and p.nonce = $1 and p.state = 'final'`;
  const found = async (): Promise<string | undefined> =>
    (await rows<{ id: string }>(ground.database.url, text, [nonce]))[0]?.id;
  expect(await settled(async () => (await found()) !== undefined, true)).toBe(true);
  return (await found()) ?? '';
}

async function refund(entry: string): Promise<Record<string, unknown>> {
  const [row] = await rows<Record<string, unknown>>(
    ground.database.url,
    'select * from keyfare.refund where entry_id = $1',
    [entry],
  );
  return row ?? {};
}

/** As two operators would have left it. */
async function approve(entry: string): Promise<void> {
  await rows(
    ground.database.url,
    `insert into keyfare.refund (entry_id, network, asset, payer, amount, state, proposed_by, proposed_name, proposed_at,
        decided_by, decided_name, decided_at)
      select $1, p.network, p.asset, p.payer, p.amount, 'approved', 'op_1', 'ann', now(), 'op_2', 'bob', now()
      from keyfare.payment p where p.refund_due_at is not null`,
    [entry],
  );
}

const held = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, payer.address);
const state = async (entry: string): Promise<unknown> => (await refund(entry))['state'];

describe('a refund', () => {
  it('is proposed for an entry, approved by another operator, paid once, and followed until it is final', async () => {
    const gate = await open();
    const [ann, bob, reader] = await Promise.all([operator(gate), operator(gate), operator(gate, ['read', 'write'])]);
    const entry = await owe(gate);
    await mintUsdc(ground.chain.rpcUrl, settler(), 5_000n);
    const before = await held();
    expect((await reader('POST', '', { entries: [entry] })).status).toBe(403);
    const proposed = await ann('POST', '', { entries: [entry] });
    expect(proposed.status).toBe(201);
    expect(proposed.body).toMatchObject({
      items: [{ entry, state: 'proposed', payer: payer.address.toLowerCase(), amount: price.toString() }],
    });
    expect((await bob('POST', '', { entries: [entry] })).body['code']).toBe('refund/conflict');
    expect((await ann('POST', `/${entry}/approve`)).body['code']).toBe('refund/conflict');
    expect((await bob('POST', `/${entry}/approve`)).body).toMatchObject({ state: 'approved' });
    expect((await bob('POST', `/${entry}/approve`)).body['code']).toBe('refund/conflict');
    expect(await settled(() => state(entry), 'final')).toBe('final');
    expect(await held()).toBe(before + price);
    const listed = await ann('GET', '?state=final');
    expect(listed.body).toMatchObject({ items: [{ entry, transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/) }] });
    const told = await rows<{ action: string }>(
      ground.database.url,
      `select action from keyfare.audit where subject = $1 order by id`,
      [entry],
    );
    expect(told.map(({ action }) => action)).toEqual(['refund.propose', 'refund.approve']);
  }, 30_000);

  it('that was rejected moves nothing, and may be proposed again; what is no refund is none', async () => {
    const gate = await open();
    const [ann, bob] = await Promise.all([operator(gate), operator(gate)]);
    const entry = await owe(gate);
    await ann('POST', '', { entries: [entry] });
    expect((await bob('POST', `/${entry}/reject`)).body).toMatchObject({ state: 'rejected' });
    expect((await bob('POST', `/${entry}/approve`)).body['code']).toBe('refund/conflict');
    expect((await ann('POST', '', { entries: [entry] })).body).toMatchObject({ items: [{ state: 'proposed' }] });
    const nobody = '00000000-0000-7000-8000-000000000000';
    expect((await ann('POST', '', { entries: [nobody] })).body['code']).toBe('refund/conflict');
    expect((await ann('POST', `/${nobody}/approve`)).body['code']).toBe('refund/not-found');
    expect((await ann('POST', '/x/approve')).body['code']).toBe('refund/not-found');
  }, 30_000);

  it('that became credit can be neither proposed nor paid, and one that is proposed or paid cannot become credit', async () => {
    const gate = await open();
    const [ann, bob, reader] = await Promise.all([operator(gate), operator(gate), operator(gate, ['read', 'write'])]);
    const [entry, other] = [await owe(gate), await owe(gate)];
    expect((await reader('POST', `/${entry}/credit`)).status).toBe(403);
    await ann('POST', '', { entries: [entry] });
    expect((await bob('POST', `/${entry}/credit`)).body).toMatchObject({ code: 'refund/conflict' });
    await bob('POST', `/${entry}/reject`);
    for (const id of [entry, other, entry]) {
      expect(await bob('POST', `/${id}/credit`)).toMatchObject({ status: 200, body: { entry: id, state: 'credited' } });
      expect((await ann('POST', '', { entries: [id] })).body).toMatchObject({ code: 'refund/conflict' });
      expect((await ann('POST', `/${id}/approve`)).body).toMatchObject({ code: 'refund/conflict' });
      expect((await ann('POST', `/${id}/reject`)).body).toMatchObject({ code: 'refund/conflict' });
    }
    expect((await ann('POST', '/00000000-0000-7000-8000-000000000000/credit')).body).toMatchObject({
      code: 'refund/not-found',
    });
    const paid = await owe(gate);
    await mintUsdc(ground.chain.rpcUrl, settler(), 5_000n);
    await ann('POST', '', { entries: [paid] });
    expect((await bob('POST', `/${paid}/approve`)).status).toBe(200);
    expect((await ann('POST', `/${paid}/credit`)).body).toMatchObject({ code: 'refund/conflict' });
    expect(await settled(() => state(paid), 'final')).toBe('final');
    expect((await ann('POST', `/${paid}/credit`)).body).toMatchObject({ code: 'refund/conflict' });
    expect([await state(entry), await state(other)]).toEqual(['credited', 'credited']);
  }, 60_000);

  it('that the settler has no tokens for says so, costs no gas, and is paid when it has', async () => {
    const gate = await open();
    const entry = await owe(gate);
    const [sent] = await rows<{ count: string }>(ground.database.url, 'select count(*) from keyfare.settlement');
    await approve(entry);
    const why = async (): Promise<boolean> => String((await refund(entry))['failure']).includes('too low');
    expect(await settled(why, true)).toBe(true);
    expect(await rows(ground.database.url, 'select count(*) from keyfare.settlement')).toEqual([sent]);
    await mintUsdc(ground.chain.rpcUrl, settler(), price);
    expect(await settled(() => state(entry), 'final', 30_000)).toBe('final');
  }, 60_000);

  it('is paid once by two processes that both see it', async () => {
    const [one] = [await open(), await open()];
    const entry = await owe(one);
    await mintUsdc(ground.chain.rpcUrl, settler(), 5_000n);
    const before = await held();
    await approve(entry);
    expect(await settled(() => state(entry), 'final')).toBe('final');
    expect(await held()).toBe(before + price);
  }, 30_000);
});

describe('a process that is killed while it pays a refund', () => {
  it.each([
    ['between the store and the broadcast', true],
    ['between the broadcast and the block', false],
  ] as const)(
    '%s leaves it to a peer, which pays it once',
    async (_when, isHeld) => {
      const maker = await open();
      const entry = await owe(maker);
      await maker.close();
      gates = [];
      await mintUsdc(ground.chain.rpcUrl, settler(), 5_000n);
      const before = await held();
      if (isHeld) {
        node.answer = ({ method }) =>
          method === 'eth_sendRawTransaction' ? { error: { code: -32_603, message: 'not now' } } : undefined;
      } else {
        await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
      }
      const child = await spawnGate({ ...ground, env: { ...ground.env, RPC_URL: node.url, CONFIRMATIONS: '0' } });
      await approve(entry);
      expect(await settled(() => state(entry), 'settling', 20_000)).toBe('settling');
      const isSent = async (): Promise<boolean> =>
        node.batches.flat().some(({ method }) => method === 'eth_sendRawTransaction');
      expect(await settled(isSent, true)).toBe(true);
      await child.kill();
      expect(await held()).toBe(before);
      node.reset();
      const peer = await open();
      expect(peer.url).toContain('http');
      if (!isHeld) {
        await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
        await ground.chain.mine();
      }
      expect(await settled(() => state(entry), 'final', 30_000)).toBe('final');
      expect(await held()).toBe(before + price);
      // Whoever tries again has the same nonce, which the token has taken: nothing moves twice.
      await rows(
        ground.database.url,
        `update keyfare.refund set state = 'approved', wallet_nonce = null, wallet = null where entry_id = $1`,
        [entry],
      );
      const why = async (): Promise<boolean> => String((await refund(entry))['failure']).includes('paid before');
      expect(await settled(why, true)).toBe(true);
      expect(await held()).toBe(before + price);
    },
    90_000,
  );
});
