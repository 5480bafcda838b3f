import { createHmac, createSecretKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { checkSignature, findNetwork, loadSignatureVerifier, parsePaymentHeader } from '@keyfare/core/x402';
import { SqlPool } from '@keyfare/db/sql';
import { openChain } from '@keyfare/evm/chain';
import { createSettlerWallet } from '@keyfare/evm/settler';
import { paymentHeaderV2, signAuthorization, testPayer, usdcDomain, usdcRequirements } from '@keyfare/testing/payers';
import { verifyTypedData } from 'viem';
import { cpuMicroseconds } from './cpu.js';

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

/** One row of a durable insert in batches of 64: this process and PostgreSQL together. */
export async function insertCost(databaseUrl: string, postgresPid: number, milliseconds: number): Promise<number> {
  const sql = new SqlPool({ url: databaseUrl, applicationName: 'bench', poolSize: 1 });
  await sql.query({
    text: 'create table if not exists bench_row (id uuid primary key, document text not null, at timestamptz not null)',
  });
  const rows = 64;
  const document = randomBytes(450).toString('base64url');
  const insert = async (): Promise<void> => {
    await sql.query({
      name: 'bench_insert',
      text: 'insert into bench_row select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])',
      values: [
        Array.from({ length: rows }, () => randomUUID()),
        Array.from({ length: rows }, () => document),
        Array.from({ length: rows }, () => new Date()),
      ],
    });
  };
  await insert();
  const postgresBefore = cpuMicroseconds(postgresPid);
  let inserts = 0;
  const own = await costOf(async () => {
    inserts += 1;
    await insert();
  }, milliseconds);
  const postgres = (cpuMicroseconds(postgresPid) - postgresBefore) / inserts;
  await sql.close();
  return (own + postgres) / rows;
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
  const ours = await costOf((index) => {
    const { authorization, signature } = at(index).presented;
    const verdict = checkSignature({ authorization, signature, terms: { network, asset: network.usdc }, verifier });
    if (!verdict.ok) fail();
  }, milliseconds);
  const viems = await costOf(async (index) => {
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
  }, milliseconds);
  return { ours, viems };
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
