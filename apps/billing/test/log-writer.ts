import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type EntryKind, type EntryPayloads, signEntry, type TermsPayload } from '@keyfare/core/log';
import {
  type Ed25519Jwk,
  type KeyReceipt,
  type ReceiptSigner,
  thumbprint,
  type X402Receipt,
} from '@keyfare/core/receipt';
import { type Clock, monthOf, unixSeconds } from '@keyfare/core/time';
import { findNetwork } from '@keyfare/core/x402';
import { type Sql, SqlPool } from '@keyfare/db/sql';

const network = 'eip155:84532';
export const usdc = findNetwork(network)?.usdc.address ?? '0x';
const resourceUrl = 'http://api.test/v1/forecast';
const responseDigest = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';

/** A usage row, as the gate writes it. */
interface Usage {
  readonly rail: 'key' | 'x402';
  readonly account: string | null;
  readonly payer: string | null;
  readonly sku: string;
  readonly units: number;
  readonly occurredAt: Date;
}

/** An entry with everything that belongs to it; `change` spoils it between its signing and its writing. */
interface Written {
  id: string;
  kind: string;
  principal: string;
  jws: string | null;
  digest: Buffer;
  usage: Usage | null;
  recordedAt?: Date;
}
export type Change = (written: Written) => void;

/** A signing key of the API. */
export function makeSigner(): { readonly signer: ReceiptSigner; readonly jwk: Ed25519Jwk } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const kid = `did:web:api.test#${thumbprint({ kty: 'OKP', crv: 'Ed25519', x })}`;
  return {
    signer: { kid, sign: (bytes) => Uint8Array.from(sign(null, bytes, privateKey)) },
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig' },
  };
}

/** Writes entries into the API's tables, in one transaction each, as the gate does. */
export class LogWriter {
  readonly #sql: SqlPool;
  signer: ReceiptSigner;
  readonly keys: Ed25519Jwk[];

  constructor(
    url: string,
    private readonly clock: Clock,
  ) {
    this.#sql = new SqlPool({ url, applicationName: 'test-gate' });
    const { signer, jwk } = makeSigner();
    this.signer = signer;
    this.keys = [jwk];
  }

  async close(): Promise<void> {
    await this.#sql.close();
  }

  /** Terms of an account, in force from `at`. */
  async terms(
    account: string,
    terms: Partial<Omit<TermsPayload, 'plan'>> & { version?: 1; slug?: string; planVersion?: number } = {},
    change: Change = () => undefined,
  ): Promise<string> {
    const now = unixSeconds(this.clock());
    const { slug = 'starter', planVersion = 1, ...rest } = terms;
    const payload: TermsPayload = {
      version: 1,
      id: randomUUID(),
      account,
      accountName: 'Acme, Inc.',
      plan: { id: `plan_${slug}`, slug, version: planVersion },
      includedUnits: '100',
      overage: 'invoice',
      overagePrice: '250',
      monthlyPrice: '10000000',
      effectiveAt: now,
      issuedAt: now,
      ...rest,
    };
    return this.#write('terms', payload, { principal: account, usage: null, change });
  }

  /** A call by key, with the account's counter, as one transaction. */
  async keyCall(
    account: string,
    { units = 1, sku = 'forecast', at = this.clock(), metered = true }: KeyCall = {},
    change: Change = () => undefined,
  ): Promise<string> {
    const payload = keyReceipt(account, { units, sku, at });
    const usage: Usage = { rail: 'key', account, payer: null, sku, units, occurredAt: at };
    return this.#write('call', payload, { principal: account, usage, change, metered });
  }

  /** Many calls by key of one unit each, in one transaction. */
  async keyCalls(account: string, count: number): Promise<void> {
    const at = this.clock();
    const documents = Array.from({ length: count }, () => {
      const payload = keyReceipt(account, { units: 1, sku: 'forecast', at });
      return { id: payload.id, jws: signEntry('call', payload, this.signer) };
    });
    const ids = documents.map(({ id }) => id);
    const texts = documents.map(({ jws }) => jws);
    await this.#sql.transaction(async (tx) => {
      await tx.query({
        text: `insert into keyfare.receipt (id, kind, principal, kid, jws, issued_at)
          select id, 'call', $3, 'kid', jws, $4 from unnest($1::uuid[], $2::text[]) as t (id, jws)`,
        values: [ids, texts, account, at],
      });
      await tx.query({
        text: `insert into keyfare.usage (id, rail, account_id, key_id, sku, units, period_start, occurred_at)
          select id, 'key', $2, 'k', 'forecast', 1, $3, $4 from unnest($1::uuid[]) as t (id)`,
        values: [ids, account, monthOf(at).start, at],
      });
      await tx.query({
        text: `insert into keyfare.entry (id, kind, principal, digest)
          select id, 'call', $3, digest from unnest($1::uuid[], $2::bytea[]) as t (id, digest)`,
        values: [ids, texts.map(sha256), account],
      });
      await tx.query({
        text: `insert into keyfare.allowance (account_id, period_start, used) values ($1, $2, $3)
          on conflict (account_id, period_start) do update set used = allowance.used + excluded.used`,
        values: [account, monthOf(at).start, count],
      });
    });
  }

  /** A call that a wallet paid for. */
  async paidCall(payment: PaidCall, change: Change = () => undefined): Promise<string> {
    const {
      payer,
      payTo,
      nonce = randomNonce(),
      amount = 1_000n,
      transaction = randomNonce(),
      sku = 'forecast',
    } = payment;
    const { at = this.clock(), account, network: caip2 = network, asset = usdc } = payment;
    const payload: X402Receipt = {
      version: 1,
      id: randomUUID(),
      rail: 'x402',
      principal: payer.toLowerCase(),
      ...(account === undefined ? {} : { account }),
      sku,
      method: 'GET',
      resourceUrl,
      status: 200,
      units: 1,
      responseDigest,
      issuedAt: unixSeconds(at),
      network: caip2,
      payer: payer.toLowerCase(),
      transaction,
      asset,
      decimals: 6,
      amount: amount.toString(),
      payTo: payTo.toLowerCase(),
      nonce,
      settlement: 'settled',
    };
    const usage: Usage = {
      rail: 'x402',
      account: account ?? null,
      payer: payload.payer,
      sku,
      units: 1,
      occurredAt: at,
    };
    return this.#write('call', payload, { principal: payload.payer, usage, change });
  }

  /** A call that was served and will not be paid. */
  async unpaidCall(
    {
      payer,
      payTo,
      nonce = randomNonce(),
      amount = 1_000n,
      at = this.clock(),
      reason = 'payment/failed',
    }: PaidCall & { reason?: string },
    change: Change = () => undefined,
  ): Promise<string> {
    const payload: EntryPayloads['unpaid'] = {
      version: 1,
      id: randomUUID(),
      network,
      payer: payer.toLowerCase(),
      payTo: payTo.toLowerCase(),
      asset: usdc,
      nonce,
      amount: amount.toString(),
      sku: 'forecast',
      method: 'GET',
      resourceUrl,
      reason,
      issuedAt: unixSeconds(at),
    };
    return this.#write('unpaid', payload, { principal: payload.payer, usage: null, change });
  }

  /** The statements of one entry, for a test that decides itself when they commit. */
  async transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.#sql.transaction(work);
  }

  async #write<Kind extends EntryKind>(
    kind: Kind,
    payload: EntryPayloads[Kind],
    {
      principal,
      usage,
      change,
      metered = true,
    }: { principal: string; usage: Usage | null; change: Change; metered?: boolean },
  ): Promise<string> {
    const jws = signEntry(kind, payload, this.signer);
    const written: Written = { id: payload.id, kind, principal, jws, digest: sha256(jws), usage };
    change(written);
    await this.#sql.transaction((tx) => writeEntry(tx, { ...written, signedAt: this.clock(), metered }));
    return written.id;
  }
}

function keyReceipt(account: string, { units, sku, at }: { units: number; sku: string; at: Date }): KeyReceipt {
  return {
    version: 1,
    id: randomUUID(),
    rail: 'key',
    principal: account,
    sku,
    method: 'GET',
    resourceUrl,
    status: 200,
    units,
    responseDigest,
    issuedAt: unixSeconds(at),
  };
}

interface KeyCall {
  readonly units?: number;
  readonly sku?: string;
  readonly at?: Date;
  /** False leaves the account's counter alone. */
  readonly metered?: boolean;
}

interface PaidCall {
  readonly payer: string;
  readonly payTo: string;
  readonly nonce?: string;
  readonly amount?: bigint;
  readonly transaction?: string;
  readonly sku?: string;
  readonly at?: Date;
  readonly account?: string;
  readonly network?: string;
  readonly asset?: string;
}

/** Usage, receipt, entry and counter of one exchange. */
async function writeEntry(tx: Sql, written: Written & { signedAt: Date; metered: boolean }): Promise<void> {
  const { id, kind, principal, jws, digest, usage, recordedAt, signedAt, metered } = written;
  if (jws !== null) {
    await tx.query({
      text: `insert into keyfare.receipt (id, kind, principal, kid, jws, issued_at) values ($1, $2, $3, 'kid', $4, $5)`,
      values: [id, kind, principal, jws, signedAt],
    });
  }
  if (usage !== null) await writeUsage(tx, id, usage, metered);
  await tx.query({
    text: `insert into keyfare.entry (id, kind, principal, digest, recorded_at) values ($1, $2, $3, $4, coalesce($5, now()))`,
    values: [id, kind, principal, digest, recordedAt ?? null],
  });
}

async function writeUsage(tx: Sql, id: string, usage: Usage, metered: boolean): Promise<void> {
  const { rail, account, payer, sku, units, occurredAt } = usage;
  const periodStart = monthOf(occurredAt).start;
  await tx.query({
    text: `insert into keyfare.usage (id, rail, account_id, payer, key_id, sku, units, period_start, occurred_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [id, rail, account, payer, rail === 'key' ? 'key_1' : null, sku, units, periodStart, occurredAt],
  });
  if (rail !== 'key' || !metered) return;
  await tx.query({
    text: `insert into keyfare.allowance (account_id, period_start, used) values ($1, $2, $3)
      on conflict (account_id, period_start) do update set used = allowance.used + excluded.used`,
    values: [account, periodStart, units],
  });
}

/** The API's key set over HTTP. */
export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  requests: number;
  close(): Promise<void>;
}

/** Serves whatever the keys are at the moment of the question. */
export async function serveKeys(keys: readonly Ed25519Jwk[]): Promise<KeyServer> {
  const server: Server = createServer((_request, response) => {
    served.requests += 1;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const served: KeyServer = {
    url: `http://127.0.0.1:${port}/.well-known/jwks.json`,
    requests: 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return served;
}

export function randomNonce(): string {
  return `0x${randomBytes(32).toString('hex')}`;
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
