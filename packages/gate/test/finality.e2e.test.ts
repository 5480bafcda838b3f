import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, signPayment } from './requests.js';

/** What becomes of a settlement that the chain had, or seemed to have, and lost. */
describe('a settled payment', () => {
  let ground: Ground;
  let node: Proxy;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    node = await openProxy(ground.chain.rpcUrl);
    gate = await startGate(ground, { env: { RPC_URL: node.url, CONFIRMATIONS: '4', REPLICA_TTL_MS: '2000' } });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await node.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => node.reset());

  const { stringify } = JSON;
  const rpc = async (method: string, ...params: unknown[]): Promise<unknown> =>
    callRpc(ground.chain.rpcUrl, method, params);
  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const row = async (nonce: string): Promise<{ state: string; transaction: string } | undefined> =>
    (
      await rows<{ state: string; transaction: string }>(
        ground.database.url,
        'select state, transaction from keyfare.payment where nonce = $1',
        [nonce],
      )
    )[0];
  const state = async (nonce: string): Promise<string | undefined> => (await row(nonce))?.state;
  const mine = async (blocks: number): Promise<void> => {
    for (let block = 0; block < blocks; block += 1) await ground.chain.mine();
  };

  it('is final when enough blocks are on top of it, and not before', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    expect(await state(nonce)).toBe('settled');
    await mine(4);
    expect(await settled(() => state(nonce), 'final')).toBe('final');
  }, 30_000);

  it.each([1, 3])(
    'that a reorganization of %i blocks drops is sent again at once, and the next payment is served',
    async (depth) => {
      const before = await paid();
      const snapshot = await rpc('evm_snapshot');
      const { v2, nonce } = await signPayment(ground, payer);
      expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
      await mine(depth - 1);
      // The chain goes back to before the settlement, and on without it.
      expect(stringify(await rpc('evm_revert', snapshot))).toBe('true');
      expect(await paid()).toBe(before);
      await mine(depth + 1);
      expect(await settled(paid, before + 1_000n)).toBe(before + 1_000n);
      const next = await signPayment(ground, payer);
      expect((await call(gate, '/ping', { headers: next.v2 })).status).toBe(200);
      await mine(5);
      expect(await settled(() => state(nonce), 'final')).toBe('final');
      expect(await settled(() => state(next.nonce), 'final')).toBe('final');
    },
    30_000,
  );

  it('that was final and is dropped all the same is sent again, and the next payment is served', async () => {
    const before = await paid();
    const snapshot = await rpc('evm_snapshot');
    const { v2, nonce } = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    await mine(5);
    expect(await settled(() => state(nonce), 'final')).toBe('final');
    await rpc('evm_revert', snapshot);
    await mine(8);
    expect(await paid()).toBe(before);
    const next = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: next.v2 })).status).toBe(200);
    expect(await settled(paid, before + 2_000n)).toBe(before + 2_000n);
  }, 30_000);

  it('whose receipt the node made up is sent until it is mined', async () => {
    const before = await paid();
    const snapshot = await rpc('evm_snapshot');
    const { v2, nonce } = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    const transaction = (await row(nonce))?.transaction;
    const receipt = await rpc('eth_getTransactionReceipt', transaction);
    await rpc('evm_revert', snapshot);
    // The node goes on showing a receipt that is in no block.
    node.answer = ({ method, params }) =>
      method === 'eth_getTransactionReceipt' && params[0] === transaction ? { result: receipt } : undefined;
    await mine(3);
    expect(await settled(paid, before + 1_000n)).toBe(before + 1_000n);
  }, 30_000);

  it('that is dropped and can never move again is reversed by an entry, once', async () => {
    const snapshot = await rpc('evm_snapshot');
    const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 200n;
    const { v2, nonce } = await signPayment(ground, payer, { validBefore });
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    await rpc('evm_revert', snapshot);
    await rpc('evm_setNextBlockTimestamp', `0x${(validBefore + 60n).toString(16)}`);
    await mine(2);
    expect(await settled(() => state(nonce), 'failed')).toBe('failed');
    const reversed = async (): Promise<number> =>
      (await rows(ground.database.url, `select 1 from keyfare.entry where kind = 'reversed'`)).length;
    expect(await reversed()).toBe(1);
  }, 30_000);
});
