import { generateKeyPairSync, hash, randomBytes, randomUUID, sign } from 'node:crypto';
import { type EntryKind, type EntryPayloads, signEntry } from '@keyfare/core/log';
import { type Ed25519Jwk, thumbprint } from '@keyfare/core/receipt';
import { monthOf, unixSeconds } from '@keyfare/core/time';
import { findNetwork } from '@keyfare/core/x402';
import { rows, texts } from '@keyfare/db/rows';
import type { SqlPool } from '@keyfare/db/sql';
import {
  appendEntries,
  appendEntry,
  type CallUsage,
  type EntryItem,
  entryColumns,
  loneEntry,
  newExchangeId,
  placeEntries,
  takeSequencer,
  usageColumns,
} from '@keyfare/gate/log';

/** A log that billing reads: what has no place yet is not seen. */
export interface BenchLog {
  readonly jwk: Ed25519Jwk;
  /** Appends so many honest entries of all rails, whose places are given by `place`. */
  append(entries: number): Promise<void>;
  /** Gives places to all that was appended: from now on the entries are to be read. */
  place(): Promise<void>;
}

interface Call extends EntryItem, CallUsage {
  readonly rail: string;
  readonly principal: string;
}

const callRows = rows<Call>({
  ...entryColumns<Call>(),
  ...usageColumns<Call>(),
  rail: texts((call) => call.rail),
  principal: texts((call) => call.principal),
});
const usage = ['rail', 'principal', 'key_id', 'sku', 'units', 'period_start', 'occurred_at'];
const appendCalls = `with ${appendEntries(callRows.source(), {
  kind: `'call'`,
  ...Object.fromEntries(usage.map((name) => [name, name])),
})} select 1`;

/** As many as the gate writes at once under load. */
const inOnePost = 50;
const accounts = 200;
const skus = ['forecast', 'history', 'alerts'];
const base = findNetwork('base-sepolia');
/** The wallet that every payment goes to. */
export const payTo = `0x${'a'.repeat(40)}`;
const hex = (bytes: number): string => `0x${randomBytes(bytes).toString('hex')}`;

/** Opens a log whose entries are signed by a key of its own and written by the gate's statements. */
export async function openBenchLog(sql: SqlPool): Promise<BenchLog> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const kid = `did:web:gate.bench.invalid#${thumbprint({ kty: 'OKP', crv: 'Ed25519', x })}`;
  const signer = { kid, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) };
  const [lease] = await sql.query<{ epoch: string }>({ text: takeSequencer, values: [randomUUID(), 3_600_000] });
  const signed = <Kind extends EntryKind>(kind: Kind, payload: EntryPayloads[Kind]): EntryItem => {
    const jws = signEntry(kind, payload, signer);
    const [, body = '', signature = ''] = jws.split('.');
    return {
      id: payload.id,
      kid,
      payload: Buffer.from(body, 'base64url'),
      signature: Buffer.from(signature, 'base64url'),
      digest: hash('sha256', jws, 'buffer'),
    };
  };
  for (let account = 0; account < accounts; account += 1) {
    const terms = termsOf(`acct_${String(account)}`);
    const item = { ...signed('terms', terms), kind: 'terms', principal: terms.account };
    await sql.query({ text: appendEntry, values: loneEntry.values([item]) });
  }
  return {
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig' },
    append: async (entries) => {
      for (let written = 0; written < entries; written += inOnePost) {
        const calls = Array.from({ length: Math.min(inOnePost, entries - written) }, (_, index) => {
          const payload = callOf(written + index);
          return { ...signed('call', payload.receipt), ...payload.usage };
        });
        await sql.query({ text: appendCalls, values: callRows.values(calls) });
      }
    },
    place: async () => {
      await sql.query({ text: placeEntries, values: [lease?.epoch, 3_600_000, 100_000] });
    },
  };
}

type CallUse = CallUsage & Pick<Call, 'rail' | 'principal'>;

/** Of ten calls seven are by key, two paid by a wallet, and one is free. */
function callOf(nth: number): { readonly receipt: EntryPayloads['call']; readonly usage: CallUse } {
  const at = new Date();
  const id = newExchangeId(at);
  const sku = skus[nth % skus.length] ?? '';
  const served = {
    version: 1 as const,
    id,
    sku,
    method: 'GET',
    resourceUrl: `https://api.bench.invalid/${sku}?city=Berlin`,
    status: 200,
    units: 1 + (nth % 3),
    responseDigest: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
    issuedAt: unixSeconds(at),
  };
  const used = { sku, units: BigInt(served.units), periodStart: monthOf(at).start, occurredAt: at, keyId: null };
  const kind = nth % 10;
  if (kind < 7) {
    const principal = `acct_${String(nth % accounts)}`;
    return { receipt: { ...served, rail: 'key', principal }, usage: { ...used, keyId: 'key', rail: 'key', principal } };
  }
  const principal = hex(20);
  if (kind === 7) {
    return {
      receipt: { ...served, rail: 'free', principal, amount: '0' },
      usage: { ...used, rail: 'free', principal },
    };
  }
  return {
    receipt: {
      ...served,
      rail: 'x402',
      principal,
      network: base?.caip2 ?? '',
      payer: principal,
      transaction: hex(32),
      asset: base?.usdc.address.toLowerCase() ?? '',
      decimals: 6,
      amount: '1000',
      payTo,
      nonce: hex(32),
      settlement: 'settled',
    },
    usage: { ...used, rail: 'x402', principal },
  };
}

function termsOf(account: string): EntryPayloads['terms'] {
  const at = new Date();
  return {
    version: 1,
    id: newExchangeId(at),
    account,
    accountName: 'Bench, Inc.',
    plan: { id: 'plan_bench', slug: 'bench', version: 1 },
    includedUnits: '50',
    overage: 'invoice',
    overagePrice: '250',
    monthlyPrice: '10000000',
    revision: 1,
    effectiveAt: unixSeconds(at),
    issuedAt: unixSeconds(at),
  };
}
