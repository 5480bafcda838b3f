import { createHmac, createSecretKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { checkSignature, findNetwork, loadSignatureVerifier, parsePaymentHeader } from '@keyfare/core/x402';
import { paymentHeaderV2, signAuthorization, testPayer, usdcDomain, usdcRequirements } from '@keyfare/devstack/payers';
import { openChain } from '@keyfare/evm/chain';
import { createSettlerWallet } from '@keyfare/evm/settler';
import { Client } from 'pg';
import { verifyTypedData } from 'viem';
import { cpuMicroseconds } from './cpu.js';
import { createEntryTable, insertEntries } from './entry-row.js';
import { newId } from './new-id.js';

/** CPU microseconds of one run of `work` in this process, after a warm-up. */
async function costOf(work: (index: number) => unknown, milliseconds: number): Promise<number> {
  const until = async (deadline: number): Promise<number> => {
    let runs = 0;
    while (performance.now() < deadline) {
      for (let index = 0; index < 16; index += 1) {
        const result = work(runs + index);
        if (result instanceof Promise) await result;
      }
      runs += 16;
    }
    return runs;
  };
  await until(performance.now() + milliseconds / 3);
  const before = process.cpuUsage();
  const runs = await until(performance.now() + milliseconds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / runs;
}

/** HMAC-SHA-256 of a key. */
export async function hmacCost(milliseconds: number): Promise<number> {
  const pepper = createSecretKey(randomBytes(32));
  const material = `kf_test_${'a'.repeat(12)}_${'b'.repeat(32)}`;
  return costOf(() => createHmac('sha256', pepper).update(material).digest(), milliseconds);
}

/** One Ed25519 signature over a receipt's bytes. */
export async function signatureCost(milliseconds: number): Promise<number> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const bytes = randomBytes(600);
  return costOf(() => sign(null, bytes, privateKey), milliseconds);
}

/** The signature of a settlement: one transaction with a `transferWithAuthorization`, hashed, signed and encoded. */
export async function settlementSignatureCost(milliseconds: number): Promise<number> {
  const network = findNetwork('base-sepolia');
  if (network === null) throw new Error('no network');
  const wallet = await createSettlerWallet({
    chain: openChain({ rpcUrl: 'http://127.0.0.1:1', chainId: 84_532 }),
    privateKey: testPayer(98).privateKey,
  });
  const payload = await signAuthorization({ payer: testPayer(0), to: testPayer(99).address, value: 1_000n });
  const accepted = usdcRequirements(testPayer(99).address, 1_000n);
  const { authorization, signature } = parsePaymentHeader('PAYMENT-SIGNATURE', paymentHeaderV2({ payload, accepted }));
  const fees = { maxFeePerGas: 2_000_000_000n, maxPriorityFeePerGas: 1_000_000n };
  return await costOf(
    (nonce) => wallet.signTransfers([{ asset: network.usdc.address, authorization, signature, nonce }], fees),
    milliseconds,
  );
}

/**
 * One row of a durable insert in batches of 64, in this process and PostgreSQL together: what the gate's entry of a
 * call by key holds, in a plain table with a primary key.
 */
export async function insertCost(databaseUrl: string, postgresPid: number, milliseconds: number): Promise<number> {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  await database.query(createEntryTable('floor_entry'));
  const rows = 64;
  const [payload, signature, digest] = [randomBytes(340), randomBytes(64), randomBytes(32)];
  const fixed = { accountId: 'acc_bench', keyId: 'a'.repeat(12), payload, signature, digest };
  const kid = `did:web:localhost%3A3000#${'k'.repeat(43)}`;
  const monthStart = Date.UTC(2026, 10, 1);
  let inserts = 0;
  const insert = async (): Promise<void> => {
    inserts += 1;
    const at = Date.now();
    const batch = Array.from({ length: rows }, () => ({ ...fixed, id: newId(at), at, monthStart }));
    await database.query(insertEntries('floor_entry', batch, { post: inserts, kid }));
  };
  await costOf(insert, milliseconds / 3);
  const [postgresBefore, insertsBefore] = [cpuMicroseconds(postgresPid), inserts];
  const ownBefore = process.cpuUsage();
  const deadline = performance.now() + milliseconds;
  while (performance.now() < deadline) await insert();
  const { user, system } = process.cpuUsage(ownBefore);
  const postgres = cpuMicroseconds(postgresPid) - postgresBefore;
  await database.end();
  return (user + system + postgres) / (inserts - insertsBefore) / rows;
}

/** The signature check of a payment, ours and viem's, on the same payments. */
export async function verifyCosts(milliseconds: number): Promise<{ ours: number; viems: number }> {
  const network = findNetwork('base-sepolia');
  if (network === null) throw new Error('no network');
  const verifier = await loadSignatureVerifier();
  const payments = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const payer = testPayer(index);
      const payload = await signAuthorization({ payer, to: testPayer(99).address, value: 1_000n });
      const header = paymentHeaderV2({ payload, accepted: usdcRequirements(testPayer(99).address, 1_000n) });
      return { payload, presented: parsePaymentHeader('PAYMENT-SIGNATURE', header) };
    }),
  );
  const at = (index: number) => payments[index % payments.length] ?? fail();
  const ours = (index: number): void => {
    const { authorization, signature } = at(index).presented;
    const verdict = checkSignature({ authorization, signature, terms: { network, asset: network.usdc }, verifier });
    if (!verdict.ok) fail();
  };
  const viems = async (index: number): Promise<void> => {
    const { authorization, signature } = at(index).presented;
    const valid = await verifyTypedData({
      address: authorization.from,
      domain: { ...usdcDomain },
      types: transferTypes,
      primaryType: 'TransferWithAuthorization',
      message: authorization,
      signature,
    });
    if (!valid) fail();
  };
  return await interleaved(ours, viems, milliseconds);
}

function since(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** All 64 payments by ours and then by viem's, over and over: a busy moment of the machine hits both alike. */
async function interleaved(
  ours: (index: number) => void,
  viems: (index: number) => Promise<void>,
  milliseconds: number,
): Promise<{ ours: number; viems: number }> {
  const spent = { ours: 0, viems: 0, ourRuns: 0, viemRuns: 0 };
  const startedAt = performance.now();
  let isWarm = false;
  while (performance.now() - startedAt < milliseconds) {
    if (!isWarm && performance.now() - startedAt > milliseconds / 3) {
      Object.assign(spent, { ours: 0, viems: 0, ourRuns: 0, viemRuns: 0 });
      isWarm = true;
    }
    const before = process.cpuUsage();
    for (let index = 0; index < 512; index += 1) ours(index);
    spent.ours += since(before);
    const between = process.cpuUsage();
    for (let index = 0; index < 64; index += 1) await viems(index);
    spent.viems += since(between);
    spent.ourRuns += 512;
    spent.viemRuns += 64;
  }
  return { ours: spent.ours / spent.ourRuns, viems: spent.viems / spent.viemRuns };
}

const transferTypes = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

function fail(): never {
  throw new Error('a good signature was refused');
}
