import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer } from '@keyfare/devstack/payers';
import { fundEth, usdcBalance } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAccount } from 'viem/accounts';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, signPayment, withKey } from './requests.js';

let ground: Ground;
const open = new Set<GateUnderTest>();

beforeEach(async () => {
  ground = await openGround();
}, 30_000);
afterEach(async () => {
  for (const gate of open) await gate.close();
  open.clear();
  await ground.close();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<GateUnderTest> {
  const gate = await startGate(ground, { env });
  open.add(gate);
  return gate;
}

async function end(gate: GateUnderTest): Promise<void> {
  open.delete(gate);
  await gate.close();
}

/** Calls all the while, one of the gates that run after the other, until it is told to stop. */
function keepCalling(gates: readonly GateUnderTest[], secrets: readonly string[]) {
  const answers: { readonly status: number; readonly receipt: string | null }[] = [];
  const enough = new AbortController();
  const calling = (async () => {
    for (let turn = 0; !enough.signal.aborted; turn += 1) {
      for (const gate of gates) {
        const answer = await call(gate, '/ping', withKey(secrets[turn % secrets.length] ?? ''));
        answers.push({ status: answer.status, receipt: answer.headers.get('keyfare-receipt') });
      }
    }
  })();
  const stop = async () => {
    const before = answers.length;
    expect(await settled(async () => answers.length > before + 4 * gates.length, true)).toBe(true);
    enough.abort();
    await calling;
    return answers;
  };
  return { stop };
}

describe('a rotation without downtime', () => {
  it('of the pepper: over every step of the runbook, with the step before beside it, no call fails and no key changes', async () => {
    const [older, newer] = [1, 2].map((id) => `p${id}:${randomBytes(32).toString('base64url')}`);
    // What secrets are under when a step is done, with the step before beside it.
    const steps = [
      { env: { API_KEY_PEPPERS: `${older},${newer}` }, under: 'p1' },
      { env: { API_KEY_PEPPERS: `${newer},${older}` }, under: 'p1,p2' },
      { env: { API_KEY_PEPPERS: `${newer},${older}`, RETIRING_PEPPERS: 'p1' }, under: 'p2' },
      { env: { API_KEY_PEPPERS: `${newer}` }, under: 'p2' },
    ];
    const peppers = async (): Promise<string> =>
      (
        await rows<{ pepper_id: string }>(
          ground.database.url,
          'select distinct pepper_id from keyfare.api_key_secret order by 1',
        )
      )
        .map(({ pepper_id }) => pepper_id)
        .join();
    let before = await start({ API_KEY_PEPPERS: `${older}` });
    const secrets = [(await before.issueKey({ includedUnits: 1_000_000n })).secret];
    for (const { env, under } of steps) {
      const next = await start(env);
      for (const gate of [before, next]) secrets.push((await gate.issueKey({ includedUnits: 1_000_000n })).secret);
      const answers = await keepCalling([before, next], secrets).stop();
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      for (const secret of secrets)
        for (const gate of [before, next]) expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
      expect(await settled(peppers, under)).toBe(under);
      await end(before);
      before = next;
    }
    for (const secret of secrets) expect((await call(before, '/ping', withKey(secret))).status).toBe(200);
  }, 60_000);

  it('of the receipt key: no call fails while both run, and every receipt verifies at either, and afterwards', async () => {
    const old = await start();
    const { secret } = await old.issueKey({ includedUnits: 1_000_000n });
    const alone = keepCalling([old], [secret]);
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const next = await start({ RECEIPT_SIGNING_KEY: pem });
    const both = keepCalling([old, next], [secret]);
    const answers = [...(await both.stop()), ...(await alone.stop())];
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const verify = async (at: GateUnderTest) => {
      const jwks = parseJwks((await call(at, '/.well-known/jwks.json')).body);
      expect(jwks.keys).toHaveLength(2);
      const verdicts = answers.map(({ receipt }) => verifyReceipt(receipt ?? '', jwks));
      expect(verdicts.filter(({ ok }) => !ok)).toEqual([]);
    };
    for (const gate of [old, next]) await verify(gate);
    await end(old);
    await verify(next);
    const kids = answers.map(({ receipt }) => Buffer.from(receipt?.split('.')[0] ?? '', 'base64url').toString());
    expect(new Set(kids).size).toBe(2);
  }, 30_000);

  it('of the settler key: no call fails while both run, and what is under way in the old wallet is followed and offered more for', async () => {
    const payer = await fundedPayer(ground.chain, 1);
    const oldKey = ground.env['SETTLER_PRIVATE_KEY'] ?? '';
    const newKey = `0x${randomBytes(32).toString('hex')}` as const;
    const wallets = [oldKey, newKey].map((key) => privateKeyToAccount(key as `0x${string}`).address.toLowerCase());
    await fundEth(ground.chain.rpcUrl, wallets[1] as `0x${string}`);
    const short = { SETTLE_TIMEOUT_MS: '4000', REPLACE_AFTER_MS: '500', REPLICA_TTL_MS: '2000', CONFIRMATIONS: '0' };
    const rotated = { ...short, SETTLER_PRIVATE_KEY: newKey };
    const old = await start(short);
    const next = await start({ ...rotated, SETTLER_PREVIOUS_KEYS: oldKey });
    const payments = await Promise.all(Array.from({ length: 8 }, () => signPayment(ground, payer)));
    const answers = await Promise.all(
      payments.map(({ v2 }, index) => call(index % 2 === 0 ? old : next, '/ping', { headers: v2 })),
    );
    expect(answers.map(({ status }) => status)).toEqual(payments.map(() => 200));
    const walletOf = async (nonce: string) =>
      (
        await rows<{ wallet: string; state: string; offers: number }>(
          ground.database.url,
          `select p.wallet, p.state, (select count(*)::int from keyfare.settlement s
          where s.wallet = p.wallet and s.wallet_nonce = p.wallet_nonce) as offers
          from keyfare.payment p where p.nonce = $1`,
          [nonce],
        )
      )[0];
    const used = await Promise.all(payments.map(async ({ nonce }) => (await walletOf(nonce))?.wallet));
    expect(used).toEqual(payments.map((_, index) => wallets[index % 2]));

    const { v2, nonce } = await signPayment(ground, payer);
    const paid = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    try {
      expect((await call(old, '/ping', { headers: v2 })).status).toBe(503);
      await end(old);
      const offered = (await walletOf(nonce))?.offers ?? 0;
      // Only the old key can sign these, and its process has ended.
      expect(await settled(async () => ((await walletOf(nonce))?.offers ?? 0) > offered, true)).toBe(true);
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
    }
    expect(await settled(async () => (await walletOf(nonce))?.state, 'final')).toBe('final');
    expect((await walletOf(nonce))?.wallet).toBe(wallets[0]);
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid + 1_000n);
    const again = await call(next, '/ping', { headers: v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    await end(next);

    const last = await start({ ...rotated, SETTLE_TIMEOUT_MS: '20000' });
    const fresh = await signPayment(ground, payer);
    expect((await call(last, '/ping', { headers: fresh.v2 })).status).toBe(200);
    expect((await walletOf(fresh.nonce))?.wallet).toBe(wallets[1]);
    expect(last.lines.filter((line) => line.includes('SETTLER_PREVIOUS_KEYS'))).toEqual([]);
  }, 60_000);

  it('of the settler key, with the old one taken out too early: its payment waits, is not mixed up, and ends when the key is back', async () => {
    const payer = await fundedPayer(ground.chain, 2);
    const oldKey = ground.env['SETTLER_PRIVATE_KEY'] ?? '';
    const newKey = `0x${randomBytes(32).toString('hex')}` as const;
    await fundEth(ground.chain.rpcUrl, privateKeyToAccount(newKey).address);
    const short = { SETTLE_TIMEOUT_MS: '1000', REPLICA_TTL_MS: '1000', CONFIRMATIONS: '0' };
    const old = await start(short);
    const { v2, nonce } = await signPayment(ground, payer);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    expect((await call(old, '/ping', { headers: v2 })).status).toBe(503);
    await end(old);
    await callRpc(ground.chain.rpcUrl, 'anvil_dropAllTransactions', []).catch(() => undefined);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
    const early = await start({ ...short, SETTLE_TIMEOUT_MS: '20000', SETTLER_PRIVATE_KEY: newKey });
    const fresh = await signPayment(ground, payer);
    expect((await call(early, '/ping', { headers: fresh.v2 })).status).toBe(200);
    const warned = async () =>
      early.lines.some((line) => line.includes('in SETTLER_PREVIOUS_KEYS to be configured again'));
    expect(await settled(warned, true)).toBe(true);
    const state = async () =>
      (
        await rows<{ state: string }>(ground.database.url, 'select state from keyfare.payment where nonce = $1', [
          nonce,
        ])
      )[0]?.state;
    expect(await state()).toBe('settling');
    await end(early);
    await start({ ...short, SETTLER_PRIVATE_KEY: newKey, SETTLER_PREVIOUS_KEYS: oldKey });
    expect(await settled(state, 'final')).toBe('final');
  }, 60_000);
});
