import { findNetwork } from '@keyfare/core/x402';
import { callRpc, type LocalChain, RpcError } from '@keyfare/devstack/chain';
import { type ExactPayload, randomNonce, signAuthorization, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { paymentBatchAbi, paymentBatchAddress } from '@keyfare/devstack/payment-batch';
import { startTestChain as startRealChain } from '@keyfare/devstack/test-chain';
import { fundEth, mintUsdc, usdcAbi, usdcAddress } from '@keyfare/devstack/usdc';
import { type Chain, openChain, readDomainSeparator } from '@keyfare/evm/chain';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Address, encodeFunctionData, type Hex, parseSignature } from 'viem';
import { startTestChain, type TestChain } from '../src/chain/index.js';

/** One of the two chains, and how to fill purses on it. */
interface Side {
  readonly chain: Chain;
  readonly rpcUrl: string;
  readonly fill: (holder: Address, amount: bigint) => Promise<unknown>;
  readonly fuel: (holder: Address) => Promise<unknown>;
}

const payTo: Address = '0x00000000000000000000000000000000000000bb';
const sender = testPayer(900).account;
const token = findNetwork('base-sepolia')?.usdc.address as Address;
let real: LocalChain;
let played: TestChain;
let sides: readonly [Side, Side];

beforeAll(async () => {
  real = await startRealChain();
  played = await startTestChain();
  const open = (rpcUrl: string): Chain => openChain({ rpcUrl, chainId: 84_532 });
  sides = [
    {
      chain: open(real.rpcUrl),
      rpcUrl: real.rpcUrl,
      fill: async (holder, amount) => await mintUsdc(real.rpcUrl, holder, amount),
      fuel: async (holder) => await fundEth(real.rpcUrl, holder),
    },
    {
      chain: open(played.rpcUrl),
      rpcUrl: played.rpcUrl,
      fill: async (holder, amount) => played.setBalance(holder, played.balanceOf(holder) + amount),
      fuel: async (holder) => played.setEther(holder, 10n ** 18n),
    },
  ];
  for (const side of sides) await side.fuel(sender.address);
}, 60_000);
afterAll(async () => {
  for (const { chain } of sides) chain.close();
  await played.close();
  await real.kill();
});

/** Does the same on both chains; answers what the real one said, after the played one said the same. */
async function onBoth<T>(work: (side: Side) => Promise<T>): Promise<T> {
  const [expected, answered] = [await work(sides[0]), await work(sides[1])];
  expect(answered).toEqual(expected);
  return expected;
}

interface Changes {
  readonly value?: bigint;
  readonly validAfter?: bigint;
  readonly validBefore?: bigint;
  readonly nonce?: Hex;
  readonly alter?: (signature: Hex) => Hex;
}

async function sign(payer: TestPayer, { alter = (same) => same, value = 10n, ...changes }: Changes = {}) {
  const payload = await signAuthorization({ payer, to: payTo, value, ...changes });
  return { ...payload, signature: alter(payload.signature) };
}

function authorizationOf({ authorization }: ExactPayload) {
  const { value, validAfter, validBefore, ...rest } = authorization;
  return { ...rest, value: BigInt(value), validAfter: BigInt(validAfter), validBefore: BigInt(validBefore) };
}

function callOf(payload: ExactPayload): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = authorizationOf(payload);
  const { r, s, v } = parseSignature(payload.signature);
  const args = [from, to, value, validAfter, validBefore, nonce, Number(v), r, s] as const;
  return encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args });
}

interface Draft {
  readonly data: Hex;
  readonly to?: Address;
  readonly nonce?: number;
  readonly gas?: bigint;
  readonly maxFeePerGas?: bigint;
  readonly account?: TestPayer['account'];
}

async function rawOf({ chain }: Side, { account = sender, to = usdcAddress, data, ...draft }: Draft): Promise<Hex> {
  return await account.signTransaction({
    type: 'eip1559',
    chainId: 84_532,
    nonce: draft.nonce ?? (await chain.transactionCount(account.address, 'pending')),
    gas: draft.gas ?? 150_000n,
    maxFeePerGas: draft.maxFeePerGas ?? 10_000_000_000n,
    maxPriorityFeePerGas: draft.maxFeePerGas === undefined ? 1_000_000_000n : 0n,
    to,
    data,
  });
}

/** Sends it, and answers what its receipt says that is the same on every chain. */
async function mined(side: Side, draft: Draft): Promise<unknown> {
  const raw = await rawOf(side, draft);
  const hash = (await callRpc(side.rpcUrl, 'eth_sendRawTransaction', [raw])) as Hex;
  for (;;) {
    const [outcome] = await side.chain.receipts([hash]);
    if (outcome) {
      const { succeeded, from, transfers } = outcome;
      return { succeeded, from, transfers };
    }
    await new Promise((wake) => setTimeout(wake, 10));
  }
}

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
/** The twin of a signature with the other s and the other v, which recovers the same key. */
function twin(signature: Hex): Hex {
  const s = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0');
  return `${signature.slice(0, 66) as Hex}${s}${signature.endsWith('1b') ? '1c' : '1b'}`;
}

const now = BigInt(Math.floor(Date.now() / 1_000));
const rich = testPayer(901);
const nonce = randomNonce();

describe('the played chain answers as the real one with FiatTokenV2_2', () => {
  beforeAll(async () => {
    await onBoth(async ({ fill }) => void (await fill(rich.address, 1_000_000n)));
  });

  const refusals: readonly [string, Changes, string][] = [
    ['a good authorization', {}, 'taken'],
    ['more than the balance', { value: 1_000_001n }, 'ERC20: transfer amount exceeds balance'],
    ['one that has run out', { validBefore: now - 100n }, 'FiatTokenV2: authorization is expired'],
    ['one that is not valid yet', { validAfter: now + 100_000n }, 'FiatTokenV2: authorization is not yet valid'],
    [
      'another amount than signed',
      { alter: (good) => `${good.slice(0, 70) as Hex}${good.slice(70, 72) === '00' ? '01' : '00'}${good.slice(72)}` },
      'signature',
    ],
    ['the twin of a signature, with a high s', { alter: twin }, "ECRecover: invalid signature 's' value"],
    [
      'a signature with a v of 0',
      { alter: (good) => `${good.slice(0, -2) as Hex}00` },
      "ECRecover: invalid signature 'v' value",
    ],
    ['a signature of 64 bytes', { alter: (good) => good.slice(0, -2) as Hex }, 'ECRecover: invalid signature length'],
  ];
  it.each(refusals)('simulates %s', async (_, changes, reason) => {
    const payload = await sign(rich, changes);
    const verdict = await onBoth(
      async ({ chain }) =>
        await chain.simulateTransfer({
          asset: token,
          authorization: authorizationOf(payload),
          signature: payload.signature,
          gasLimit: 150_000n,
        }),
    );
    expect(verdict.ok ? 'taken' : verdict.reason).toContain(reason);
  });

  it('refuses a transfer that was signed by another key than the payer’s', async () => {
    const payload = await sign(rich);
    const other = testPayer(902).address;
    const authorization = { ...authorizationOf(payload), from: other };
    const verdict = await onBoth(
      async ({ chain }) => await chain.simulateTransfer({ asset: token, authorization, signature: payload.signature }),
    );
    expect(verdict).toMatchObject({ ok: false, kind: 'reverted', reason: 'FiatTokenV2: invalid signature' });
  });

  it('moves money by a mined authorization, once, with the same events, and finds its use', async () => {
    const payload = await sign(rich, { nonce, value: 70n });
    const question = { asset: token, payer: rich.address, nonce };
    expect(await onBoth(async ({ chain }) => await chain.readPayer(question))).toEqual({
      balance: 1_000_000n,
      authorizationUsed: false,
      hasCode: false,
    });
    const outcome = await onBoth(async (side) => await mined(side, { data: callOf(payload) }));
    expect(outcome).toMatchObject({
      succeeded: true,
      transfers: [{ value: 70n, to: payTo, authorization: { nonce } }],
    });
    expect(await onBoth(async ({ chain }) => await chain.readPayer(question))).toMatchObject({
      balance: 999_930n,
      authorizationUsed: true,
    });
    const again = await onBoth(async (side) => await mined(side, { data: callOf(payload) }));
    expect(again).toMatchObject({ succeeded: false, transfers: [] });
    const use = await onBoth(async ({ chain }) => {
      const found = await chain.findAuthorizationUse({ asset: token, authorizer: rich.address, nonce, fromBlock: 0n });
      return { kind: found?.kind, transfer: found?.transfer };
    });
    expect(use).toMatchObject({ kind: 'transferred', transfer: { value: 70n } });
  });

  it('reads the state of an earlier block as it was', async () => {
    const payer = testPayer(903);
    const payload = await sign(payer, { value: 5n });
    const used = payload.authorization.nonce;
    const states = await onBoth(async (side) => {
      await side.fill(payer.address, 5n);
      const before = await side.chain.blockNumber();
      await mined(side, { data: callOf(payload) });
      const at = { asset: token, payer: payer.address, nonce: used };
      return [await side.chain.readPayer({ ...at, block: before }), await side.chain.readPayer(at)];
    });
    expect(states).toMatchObject([
      { balance: 5n, authorizationUsed: false },
      { balance: 0n, authorizationUsed: true },
    ]);
  });

  it('settles the rows of a batch that can be, and leaves those that cannot', async () => {
    const poor = testPayer(904);
    const payloads = [await sign(rich), await sign(poor), await sign(rich, { value: 20n })];
    const items = payloads.map((payload) => ({
      asset: token,
      authorization: authorizationOf(payload),
      signature: payload.signature,
    }));
    const contract = paymentBatchAddress;
    const verdicts = await onBoth(async ({ chain }) => await chain.simulateBatch({ contract, items }));
    expect(verdicts.map(({ ok }) => ok)).toEqual([true, false, true]);
    const rows = payloads.map((payload) => ({ target: token, allowFailure: true, callData: callOf(payload) }));
    const data = encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args: [rows] });
    const outcome = await onBoth(async (side) => await mined(side, { to: contract, data, gas: 500_000n }));
    expect(outcome).toMatchObject({ succeeded: true, transfers: [{ value: 10n }, { value: 20n }] });
  });

  it('says the same of transactions that it does not take', async () => {
    const data = callOf(await sign(rich));
    const bare = testPayer(905).account;
    const outcomes = await onBoth(async (side) => {
      const next = await side.chain.transactionCount(sender.address);
      const refused = [
        await rawOf(side, { data, nonce: next - 1 }),
        await rawOf(side, { data, maxFeePerGas: 1n }),
        await rawOf(side, { data, account: bare, nonce: 0 }),
      ];
      return (await side.chain.broadcast(refused)).map(({ status }) => status);
    });
    expect(outcomes).toEqual(['nonce-too-low', 'underpaid', 'unfunded']);
  });

  it('reverts a transaction for want of gas, and calls it out of gas when it is tried', async () => {
    const payload = await sign(rich);
    const question = { asset: token, authorization: authorizationOf(payload), signature: payload.signature };
    const gasLimit = 45_000n;
    const verdict = await onBoth(async ({ chain }) => await chain.simulateTransfer({ ...question, gasLimit }));
    expect(verdict).toMatchObject({ ok: false, kind: 'out-of-gas' });
    expect(await onBoth(async (side) => await mined(side, { data: callOf(payload), gas: gasLimit }))).toMatchObject({
      succeeded: false,
    });
  });

  it('has the token’s domain, its code and that of the batch contract, and none elsewhere', async () => {
    const separator = await onBoth(async ({ chain }) => await readDomainSeparator(chain.rpc, token));
    expect(separator).toMatch(/^0x[0-9a-f]{64}$/);
    const codes = await onBoth(async ({ rpcUrl }) => {
      const codeAt = async (address: Address) =>
        ((await callRpc(rpcUrl, 'eth_getCode', [address, 'latest'])) as Hex).length > 2;
      return [await codeAt(token), await codeAt(paymentBatchAddress), await codeAt(payTo)];
    });
    expect(codes).toEqual([true, true, false]);
    const nothing = await onBoth(
      async ({ rpcUrl }) => await callRpc(rpcUrl, 'eth_call', [{ to: payTo, data: '0x12345678' }, 'latest']),
    );
    expect(nothing).toBe('0x');
  });
});

describe('the played chain by itself', () => {
  it('refuses what it does not play, by name', async () => {
    await expect(callRpc(played.rpcUrl, 'debug_traceTransaction', [])).rejects.toThrow(
      'does not play debug_traceTransaction',
    );
    const approve = { to: token, data: `0x095ea7b3${'0'.repeat(128)}` };
    await expect(callRpc(played.rpcUrl, 'eth_call', [approve, 'latest'])).rejects.toThrow(
      'does not play the function 0x095ea7b3',
    );
    await expect(callRpc(played.rpcUrl, 'toString', [])).rejects.toBeInstanceOf(RpcError);
  });

  // The real local chain takes it and never mines it; geth refuses it in these words.
  it('refuses a transaction whose gas does not cover its calldata', async () => {
    const raw = await rawOf(sides[1], { data: callOf(await sign(rich)), gas: 21_001n });
    expect(await sides[1].chain.broadcast([raw])).toMatchObject([{ status: 'rejected' }]);
  });

  it('while it hangs a transaction waits, and is replaced only by one with higher fees', async () => {
    const side = sides[1];
    played.hangs();
    const data = callOf(await sign(rich));
    const raw = await rawOf(side, { data });
    const same = await side.chain.transactionCount(sender.address);
    expect(await side.chain.broadcast([raw])).toEqual([{ status: 'accepted' }]);
    expect(await side.chain.broadcast([raw])).toEqual([{ status: 'known' }]);
    const dearer = await rawOf(side, { data, nonce: same, maxFeePerGas: 10_000_000_001n });
    expect((await side.chain.broadcast([dearer])).map(({ status }) => status)).toEqual(['outbid']);
    expect([played.waiting, await side.chain.transactionCount(sender.address, 'pending')]).toEqual([1, same + 1]);
    const before = played.balanceOf(rich.address);
    played.settles();
    expect([played.waiting, played.balanceOf(rich.address)]).toEqual([0, before - 10n]);
  });
});
