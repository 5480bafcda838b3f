import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type EntryKind, type EntryPayloads, signEntry, type TermsPayload } from '@keyfare/core/log';
import type { Ed25519Jwk, ReceiptSigner, X402Receipt } from '@keyfare/core/receipt';
import { type Clock, monthOf, unixSeconds } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { Sequencer } from '@keyfare/gate/log';
import {
  keyReceipt,
  makeSigner,
  network,
  randomNonce,
  resourceUrl,
  responseDigest,
  sha256,
  usdc,
} from './log-documents.js';
import { type Change, insertRows, meter, putInForce, type Row, rowOf, type Usage, type Written } from './log-rows.js';

/** Writes entries that a test makes up, in one transaction each: signed, appended and placed by the gate's own code. */
export class LogWriter {
  readonly #sql: SqlPool;
  readonly #revisions = new Map<string, number>();
  readonly #sequencer: Sequencer;
  readonly #sequencing: Promise<void>;
  #placing: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  /** While it is true no entry gets a place: as when nobody holds the lease of the sequencer. */
  paused = false;
  signer: ReceiptSigner;
  readonly keys: Ed25519Jwk[];

  constructor(
    url: string,
    private readonly clock: Clock,
  ) {
    this.#sql = new SqlPool({ ...patience, url, applicationName: 'test-gate' });
    const { signer, jwk } = makeSigner();
    this.signer = signer;
    this.keys = [jwk];
    const holder = randomUUID();
    this.#sequencer = new Sequencer({ sql: this.#sql, holder: () => holder, onError: () => undefined });
    this.#sequencing = this.#sequence();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#sequencing;
    await this.#sql.close();
  }

  /** Lets the gate's sequencer give places to all entries that are committed, unless it is paused. */
  async place(): Promise<void> {
    const turns = this.#placing.then(async () => this.#takeTurns());
    // The next one comes though this one failed.
    this.#placing = turns.catch(() => undefined);
    await turns;
  }

  async #takeTurns(): Promise<void> {
    while (!this.paused) {
      const posts = await this.#sequencer.turn();
      if (this.#sequencer.isHolder && posts === 0) return;
      if (!this.#sequencer.isHolder) {
        // Its lease had run out, and it takes it again; or another process has it, and places what is there.
        const [waiting] = await this.#sql.query({ text: 'select 1 from keyfare.unplaced limit 1' });
        if (waiting === undefined) return;
        await pause(5);
      }
    }
  }

  /** As the gate's sequencer: every few milliseconds. What it cannot do while the database is away it does later. */
  async #sequence(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.place().catch(() => undefined);
      await pause(40, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Terms of an account, in force from `at`. */
  async terms(
    account: string,
    terms: Partial<Omit<TermsPayload, 'plan'>> & { version?: 1; slug?: string; planVersion?: number } = {},
    change: Change = () => undefined,
  ): Promise<string> {
    const now = unixSeconds(this.clock());
    const { slug = 'starter', planVersion = 1, ...rest } = terms;
    const revision = (this.#revisions.get(account) ?? 0) + 1;
    this.#revisions.set(account, revision);
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
      revision,
      effectiveAt: now,
      issuedAt: now,
      ...rest,
    };
    return this.#write('terms', payload, { principal: account, usage: null, change });
  }

  /** An open lease of a process on an account's running month: what it uses is counted when it is folded. */
  async lease(account: string, { granted, limit = null }: { granted: number; limit?: number | null }): Promise<void> {
    const period = monthOf(this.clock()).start;
    await this.#sql.transaction(async (tx) => {
      await tx.query({
        text: `insert into keyfare.allowance (account_id, period_start, limit_units, used, leased) values ($1, $2, $3, 0, $4)
          on conflict (account_id, period_start) do update set limit_units = $3, leased = $4`,
        values: [account, period, limit, granted],
      });
      await tx.query({
        text: `insert into keyfare.lease (replica_id, account_id, period_start, granted, used, post, turn, open, since)
          values ($1, $2, $3, $4, 0, 0, 0, true, now())`,
        values: [randomUUID(), account, period, granted],
      });
    });
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
    const rows = documents.map(({ id, jws }): Row => {
      const usage: Usage = { rail: 'key', account, payer: null, sku: 'forecast', units: 1, occurredAt: at };
      return rowOf({ id, kind: 'call', principal: account, jws, digest: sha256(jws), usage });
    });
    await this.#sql.transaction(async (tx) => {
      await insertRows(tx, rows);
      await meter(tx, { account, periodStart: monthOf(at).start, units: count });
    });
    await this.place();
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
      deferred = false,
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
      ...(deferred ? {} : { transaction }),
      asset,
      decimals: 6,
      amount: amount.toString(),
      payTo: payTo.toLowerCase(),
      nonce,
      settlement: deferred ? 'deferred' : 'settled',
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

  /** A call that was served and will not be paid; with `call` one on credit that is given up. */
  async unpaidCall(
    { reason = 'payment/failed', call, ...payment }: PaidCall & { reason?: string; call?: string },
    change: Change = () => undefined,
  ): Promise<string> {
    const of = { sku: 'forecast', method: 'GET', resourceUrl, reason, ...(call === undefined ? {} : { call }) };
    return this.#money('unpaid', { ...this.#moneyOf(payment), ...of }, change);
  }

  /** The payment of a call that was served before has moved. */
  async settlement(call: string, payment: PaidCall, change: Change = () => undefined): Promise<string> {
    const { transaction = randomNonce() } = payment;
    return this.#money('settlement', { ...this.#moneyOf(payment), call, transaction }, change);
  }

  /** Money that moved, and nothing was served for it. */
  async refundDue(payment: PaidCall, change: Change = () => undefined): Promise<string> {
    const { transaction = randomNonce() } = payment;
    const of = { sku: 'forecast', method: 'GET', resourceUrl, reason: 'handler/failed', transaction };
    return this.#money('refund-due', { ...this.#moneyOf(payment), ...of }, change);
  }

  /** The chain has dropped a settlement for good. */
  async reversed(call: string, payment: PaidCall, change: Change = () => undefined): Promise<string> {
    const { transaction = randomNonce() } = payment;
    const of = { call, transaction, reason: 'settlement/dropped' };
    return this.#money('reversed', { ...this.#moneyOf(payment), ...of }, change);
  }

  #moneyOf(payment: PaidCall): MoneyFields {
    const { payer, payTo, nonce = randomNonce(), amount = 1_000n, asset = usdc, at = this.clock() } = payment;
    return {
      version: 1,
      id: randomUUID(),
      network,
      payer: payer.toLowerCase(),
      payTo: payTo.toLowerCase(),
      asset,
      nonce,
      amount: amount.toString(),
      issuedAt: unixSeconds(at),
    };
  }

  async #money<Kind extends Exclude<EntryKind, 'call' | 'terms'>>(
    kind: Kind,
    payload: EntryPayloads[Kind],
    change: Change,
  ): Promise<string> {
    return this.#write(kind, payload, { principal: payload.payer, usage: null, change });
  }

  /** A call by key whose transaction stays open until its `commit`. */
  async uncommitted(account: string): Promise<{ readonly id: string; commit(): Promise<void> }> {
    const at = this.clock();
    const payload = keyReceipt(account, { units: 1, sku: 'forecast', at });
    const jws = signEntry('call', payload, this.signer);
    const usage: Usage = { rail: 'key', account, payer: null, sku: 'forecast', units: 1, occurredAt: at };
    const row = rowOf({ id: payload.id, kind: 'call', principal: account, jws, digest: sha256(jws), usage });
    const gate = new AbortController();
    const released = once(gate.signal, 'abort');
    let done = Promise.resolve();
    await new Promise<void>((written, failed) => {
      done = this.#sql.transaction(async (tx) => {
        await insertRows(tx, [row]);
        written();
        await released;
      });
      done.catch(failed);
    });
    return {
      id: payload.id,
      commit: async () => {
        gate.abort();
        await done;
        await this.place();
      },
    };
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
    await this.#sql.transaction(async (tx) => {
      await insertRows(tx, [rowOf(written)]);
      if (kind === 'terms') await putInForce(tx, payload as TermsPayload);
      if (written.usage?.rail === 'key' && usage?.occurredAt instanceof Date && metered) {
        const { account, units } = written.usage;
        await meter(tx, { account: account ?? '', units, periodStart: monthOf(usage.occurredAt).start });
      }
    });
    await this.place();
    return written.id;
  }
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
  /** Served on credit: its payment is collected later. */
  readonly deferred?: boolean;
}

type MoneyFields = Omit<EntryPayloads['settlement'], 'call' | 'transaction'>;
