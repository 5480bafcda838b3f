import { GroupCommit } from '@keyfare/db/group-commit';
import type { Sql, SqlPool } from '@keyfare/db/sql';
import type { Fees } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import type { NetworkAccess } from '../networks.js';
import type { Movement, Numbered, PaymentLedger, Submission } from '../settling.js';
import type { Tracing } from '../tracing.js';
import { hasExpired, type StoredRow, toSettle, transactionOf } from './signed.js';
import {
  lockWallet,
  openWallet,
  selectNextNonce,
  selectSettlements,
  selectUncounted,
  storeSettlements,
} from './submit.sql.js';

/** The transactions of one nonce of the wallet, the newest last, as far as one payment is concerned. */
export interface Placed {
  readonly nonce: number;
  readonly transactions: readonly SignedTransaction[];
}

interface Priced extends Submission {
  readonly fees: Fees;
}

/** What signing and storing needs. */
export interface SubmissionContext {
  readonly sql: SqlPool;
  readonly access: NetworkAccess;
  readonly ledger: PaymentLedger;
  readonly now: () => Date;
  readonly tracing: Tracing;
}

/**
 * Signs settlement transactions and stores them, before anyone broadcasts them: after a crash the same bytes go out
 * again. Payments that are submitted at the same moment share a transaction where the network has a batch contract. The
 * wallet's row orders the processes that share the wallet; it is locked only while a group is signed and stored.
 */
export class Submissions {
  readonly #context: SubmissionContext;
  readonly #group: GroupCommit<Priced, Placed | 'taken' | 'expired'>;
  #opening: Promise<void> | undefined;

  constructor(context: SubmissionContext) {
    this.#context = context;
    this.#group = new GroupCommit({
      write: (items) => context.tracing.runFor(items[0]?.movement.exchangeId, () => this.#write(items)),
      maxItems: context.access.settings.batchSize,
    });
  }

  /** The wallet that pays the gas. */
  get address(): `0x${string}` {
    return this.#context.access.wallet.address;
  }

  /** Submissions that wait to be stored. */
  get waiting(): number {
    return this.#group.waiting;
  }

  /**
   * Stores a payment's transaction. The chain is asked before the group is entered: no item waits for another's answer.
   */
  async submit(submission: Submission): Promise<Placed | 'taken' | 'expired'> {
    const [fees] = await Promise.all([this.#fees(), this.open()]);
    return this.#group.commit({ ...submission, fees });
  }

  /**
   * Brings the wallet's nonce in line with the chain, once, and sends again what the chain does not know though it is
   * stored: so a chain that lost its newest blocks gets the same transactions back. Throws `ChainUnavailable`.
   */
  async open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** All transactions stored under a nonce, the newest last. */
  async find(nonce: number): Promise<readonly SignedTransaction[]> {
    return (await this.#read(this.#context.sql, [nonce])).get(nonce) ?? [];
  }

  /** The next nonce of the wallet as the database has it. */
  async nextNonce(): Promise<number> {
    const { settings } = this.#context.access;
    const values = [settings.network.caip2, this.address];
    const [row] = await this.#context.sql.query<{ next_nonce: string }>({ text: selectNextNonce, values });
    return Number(row?.next_nonce ?? 0);
  }

  /** Sends again everything that is stored from a nonce on: the chain does not count it. */
  async sendFrom(nonce: number): Promise<void> {
    const { access, sql } = this.#context;
    const values = [access.settings.network.caip2, this.address, nonce];
    const rows = await sql.query<StoredRow>({ text: selectUncounted, values });
    if (rows.length > 0) await access.chain.broadcast(rows.map((row) => transactionOf(row).raw));
  }

  /**
   * A transaction with the same nonce and higher fees, stored like the first; null when higher fees would be out of
   * proportion, or above the ceiling. It moves the payments that have not run out; when all have, it only frees the
   * nonce.
   */
  async replace(movements: readonly Movement[], replaced: SignedTransaction): Promise<SignedTransaction | null> {
    const { access, now, sql } = this.#context;
    const { wallet, chain, settings } = access;
    const fees = await chain.fees();
    const live = movements.filter((movement) => !hasExpired(movement, now()));
    const [only] = live;
    const settlement =
      only !== undefined && live.length === 1
        ? { ...toSettle(only), nonce: replaced.nonce, gasLimit: settings.gasLimit }
        : { items: live.map(toSettle), nonce: replaced.nonce, contract: this.#contract };
    const replacement =
      only === undefined ? wallet.signCancel(replaced, fees) : wallet.signReplacement(settlement, replaced.fees, fees);
    if (replacement === null) return null;
    const { maxFeePerGas } = settings;
    // A nonce that is to be freed must be, whatever it costs: everything behind it waits.
    if (only !== undefined && maxFeePerGas > 0n && replacement.fees.maxFeePerGas > maxFeePerGas) return null;
    await this.#store(sql, [replacement]);
    return replacement;
  }

  /**
   * A transaction under a fresh nonce, for payments that the one of their own will not move: something else has used
   * its nonce, or it is mined. Null when none is settling.
   */
  async renew(movements: readonly Movement[]): Promise<{ placed: Placed; ids: ReadonlySet<string> } | null> {
    const { ledger, sql } = this.#context;
    this.#opening = undefined;
    const [fees] = await Promise.all([this.#fees(), this.open()]);
    return sql.transaction(async (tx) => {
      const firstNonce = await this.#lock(tx);
      const ids = movements.map(({ exchangeId }) => exchangeId);
      const numbered = await ledger.renumber(tx, ids, { wallet: this.address, firstNonce });
      const [signed] = this.#sign(movements, numbered, fees);
      if (signed === undefined) return null;
      await this.#store(tx, [signed]);
      return {
        placed: { nonce: signed.nonce, transactions: [signed] },
        ids: new Set(numbered.map(({ exchangeId }) => exchangeId)),
      };
    });
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    this.#group.limitDoubt();
  }

  async close(): Promise<void> {
    await this.#group.close();
  }

  /**
   * What gas costs, and never more than the ceiling: above it no call is begun, and what was served already waits for
   * the price to fall.
   */
  async #fees(): Promise<Fees> {
    const { chain, settings } = this.#context.access;
    const { maxFeePerGas, maxPriorityFeePerGas } = await chain.fees();
    const ceiling = settings.maxFeePerGas === 0n ? maxFeePerGas : settings.maxFeePerGas;
    return {
      maxFeePerGas: smaller(maxFeePerGas, ceiling),
      maxPriorityFeePerGas: smaller(maxPriorityFeePerGas, ceiling),
    };
  }

  async #open(): Promise<void> {
    const { access, sql } = this.#context;
    const count = await access.chain.transactionCount(this.address);
    await sql.query({ text: openWallet, values: [access.settings.network.caip2, this.address, count.toString()] });
    await this.sendFrom(count);
  }

  async #lock(tx: Sql): Promise<number> {
    const [row] = await tx.query<{ next_nonce: string }>({
      name: 'keyfare_lock_wallet',
      text: lockWallet,
      values: [this.#context.access.settings.network.caip2, this.address],
    });
    if (row === undefined) throw new Error('the settler wallet is not in the database');
    return Number(row.next_nonce);
  }

  /** What comes back was read or written in the transaction itself: after the commit nothing can fail any more. */
  async #write(items: readonly Priced[]): Promise<readonly (Placed | 'taken' | 'expired')[]> {
    const { ledger, now, sql, access } = this.#context;
    const timely = items.filter(({ movement }) => !hasExpired(movement, now()));
    return sql.transaction(async (tx) => {
      const perNonce = access.settings.batchContract === null ? 1 : access.settings.batchSize;
      const firstNonce = await this.#lock(tx);
      const numbering = { wallet: this.address, firstNonce, shares: sharesOf(timely, perNonce) };
      const numbered = timely.length === 0 ? [] : await ledger.start(tx, timely, numbering);
      const movements = timely.map(({ movement }) => movement);
      const signed = this.#sign(movements, numbered, dearest(items));
      if (signed.length > 0) await this.#store(tx, signed);
      const placed = new Map(signed.map((one) => [one.nonce, [one] as readonly SignedTransaction[]]));
      const nonces = new Map(numbered.map(({ exchangeId, walletNonce }) => [exchangeId, walletNonce]));
      await this.#recall(tx, items, { nonces, placed });
      return items.map((item) => {
        const nonce = nonces.get(item.movement.exchangeId);
        const transactions = nonce === undefined ? undefined : placed.get(nonce);
        if (nonce !== undefined && transactions !== undefined) return { nonce, transactions };
        return timely.includes(item) ? 'taken' : 'expired';
      });
    });
  }

  /** After a lost connection the group may have been stored by its first attempt: then its transactions are found. */
  async #recall(
    tx: Sql,
    items: readonly Priced[],
    { nonces, placed }: { nonces: Map<string, number>; placed: Map<number, readonly SignedTransaction[]> },
  ): Promise<void> {
    const others = items.map(({ movement }) => movement.exchangeId).filter((id) => !nonces.has(id));
    if (others.length === 0) return;
    const earlier = await this.#context.ledger.numbers(tx, others);
    for (const { exchangeId, walletNonce } of earlier) nonces.set(exchangeId, walletNonce);
    const found = await this.#read(tx, [...new Set(earlier.map(({ walletNonce }) => walletNonce))]);
    for (const [nonce, transactions] of found) if (!placed.has(nonce)) placed.set(nonce, transactions);
  }

  /** One transaction for each nonce. */
  #sign(movements: readonly Movement[], numbered: readonly Numbered[], fees: Fees): readonly SignedTransaction[] {
    const { wallet, settings } = this.#context.access;
    const byId = new Map(movements.map((movement) => [movement.exchangeId, movement]));
    const groups = new Map<number, Movement[]>();
    for (const { exchangeId, walletNonce } of numbered) {
      const movement = byId.get(exchangeId);
      if (movement !== undefined) groups.set(walletNonce, [...(groups.get(walletNonce) ?? []), movement]);
    }
    return [...groups].flatMap(([nonce, group]) => {
      const [only] = group;
      if (group.length > 1) {
        return [wallet.signBatch({ items: group.map(toSettle), nonce, contract: this.#contract }, fees)];
      }
      return only === undefined
        ? []
        : wallet.signTransfers([{ ...toSettle(only), nonce, gasLimit: settings.gasLimit }], fees);
    });
  }

  get #contract(): `0x${string}` {
    const { batchContract } = this.#context.access.settings;
    if (batchContract === null) throw new Error('the network has no batch contract');
    return batchContract;
  }

  async #read(sql: Sql, nonces: readonly number[]): Promise<ReadonlyMap<number, readonly SignedTransaction[]>> {
    const rows = await sql.query<StoredRow>({
      name: 'keyfare_find_settlements',
      text: selectSettlements,
      values: [this.#context.access.settings.network.caip2, this.address, nonces],
    });
    const found = new Map<number, SignedTransaction[]>();
    for (const row of rows) {
      const transaction = transactionOf(row);
      found.set(transaction.nonce, [...(found.get(transaction.nonce) ?? []), transaction]);
    }
    return found;
  }

  async #store(sql: Sql, transactions: readonly SignedTransaction[]): Promise<void> {
    await sql.query({
      name: 'keyfare_store_settlements',
      text: storeSettlements,
      values: [
        transactions.map(({ hash }) => hash),
        transactions.map(({ nonce }) => nonce.toString()),
        transactions.map(({ raw }) => Buffer.from(raw.slice(2), 'hex')),
        transactions.map(({ fees }) => fees.maxFeePerGas.toString()),
        transactions.map(({ fees }) => fees.maxPriorityFeePerGas.toString()),
        this.#context.access.settings.network.caip2,
        this.address,
        this.#context.now(),
      ],
    });
  }
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

/** For each submission the number of its transaction: so many share one, and some have one of their own. */
function sharesOf(submissions: readonly Submission[], perNonce: number): readonly number[] {
  let last = 0;
  let room = 0;
  let shared = 0;
  return submissions.map(({ alone }) => {
    if (alone) return (last += 1);
    if (room === 0) {
      shared = last += 1;
      room = perNonce;
    }
    room -= 1;
    return shared;
  });
}

/** One price for the group: what was enough for its last comer is not too little for the others. */
function dearest(items: readonly Priced[]): Fees {
  const all = items.map(({ fees }) => fees);
  return all.reduce((one, other) => (other.maxFeePerGas > one.maxFeePerGas ? other : one));
}
