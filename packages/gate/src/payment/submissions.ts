import { GroupCommit } from '@keyfare/db/group-commit';
import type { Sql, SqlPool } from '@keyfare/db/sql';
import type { Chain, Fees } from '@keyfare/evm/chain';
import type { Settlement, SettlerWallet, SignedTransaction } from '@keyfare/evm/settler';
import type { PaidCall, PaymentHold } from './call.js';
import {
  openWallet,
  renumberPayment,
  selectSettlements,
  selectUncounted,
  storeSettlements,
  submitPayments,
} from './submit.sql.js';

/** A served call whose payment shall be broadcast. */
export interface Submission {
  readonly hold: PaymentHold;
  readonly call: PaidCall;
  readonly body: Buffer;
  /** Until when the caller waits. */
  readonly waitingUntil: Date;
}

/**
 * The stored transaction, or why there is none. `taken`: the claim was taken from this process, which its peers thought
 * dead. `expired`: the authorization has run out. Either way nothing was stored, and nothing may be sent.
 */
export type Submitted = SignedTransaction | 'taken' | 'expired';

interface Priced extends Submission {
  readonly fees: Fees;
}

interface Numbered {
  readonly exchange_id: string;
  readonly wallet_nonce: string;
}

interface StoredRow {
  readonly exchange_id: string;
  readonly transaction: `0x${string}`;
  readonly wallet_nonce: string;
  readonly raw: Buffer;
  readonly max_fee_per_gas: string;
  readonly max_priority_fee_per_gas: string;
}

/** The contract wants the block's time to be before `validBefore`; a block's length must be left. */
const blockSeconds = 3n;

function stored(row: Omit<StoredRow, 'exchange_id'>): SignedTransaction {
  return {
    hash: row.transaction,
    nonce: Number(row.wallet_nonce),
    raw: `0x${row.raw.toString('hex')}`,
    fees: { maxFeePerGas: BigInt(row.max_fee_per_gas), maxPriorityFeePerGas: BigInt(row.max_priority_fee_per_gas) },
  };
}

function settlementOf(hold: PaymentHold, nonce: number): Settlement {
  const { asset, payer: from, payTo: to, amount: value, validAfter, validBefore } = hold;
  const authorization = { from, to, value, validAfter, validBefore, nonce: hold.nonce };
  return { asset, authorization, signature: hold.signature, nonce };
}

/**
 * Signs settlement transactions and stores them, before anyone broadcasts them: after a crash the same bytes go out
 * again, so a payment has one transaction however often it is sent. The wallet's row orders the processes that share
 * the wallet; it is locked only while a group is signed and stored.
 */
export class Submissions {
  readonly #group: GroupCommit<Priced, Submitted>;
  #opening: Promise<void> | undefined;

  constructor(
    private readonly sql: SqlPool,
    private readonly chain: Chain,
    private readonly wallet: SettlerWallet,
    private readonly context: {
      readonly network: string;
      readonly replica: { readonly id: string };
      readonly now: () => Date;
    },
  ) {
    this.#group = new GroupCommit({ write: (items) => this.#write(items), maxItems: 100 });
  }

  /** The wallet that pays the gas. */
  get address(): `0x${string}` {
    return this.wallet.address;
  }

  /** Stores the payment's transaction. The chain is asked before the group is entered: no item waits for another's answer. */
  async submit(submission: Submission): Promise<Submitted> {
    const [fees] = await Promise.all([this.chain.fees(), this.open()]);
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

  /** All transactions stored for these payments, the newest last, by exchange. */
  async find(exchangeIds: readonly string[]): Promise<ReadonlyMap<string, readonly SignedTransaction[]>> {
    return this.#read(this.sql, exchangeIds);
  }

  /**
   * A transaction with the same nonce and higher fees, stored like the first; null when higher fees would be out of
   * proportion. Once the authorization has run out, it is one that only frees the nonce.
   */
  async replace(hold: PaymentHold, replaced: SignedTransaction): Promise<SignedTransaction | null> {
    const fees = await this.chain.fees();
    const replacement = this.#hasExpired(hold)
      ? this.wallet.signCancel(replaced, fees)
      : this.wallet.signReplacement(settlementOf(hold, replaced.nonce), replaced.fees, fees);
    if (replacement !== null) await this.#store(this.sql, [replacement]);
    return replacement;
  }

  /** A transaction under a fresh nonce, for a payment whose nonce something else has used. */
  async renew(hold: PaymentHold): Promise<SignedTransaction> {
    this.#opening = undefined;
    const [fees] = await Promise.all([this.chain.fees(), this.open()]);
    return this.sql.transaction(async (tx) => {
      const numbered = await tx.query<Numbered>({
        text: renumberPayment,
        values: [hold.exchangeId, this.context.network, this.wallet.address],
      });
      const signed = this.#sign([hold], numbered, fees).get(hold.exchangeId);
      if (signed === undefined) throw new Error(`the payment of ${hold.exchangeId} is not submitted`);
      await this.#store(tx, [signed]);
      return signed;
    });
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    this.#group.limitDoubt();
  }

  async close(): Promise<void> {
    await this.#group.close();
  }

  async #open(): Promise<void> {
    const { network } = this.context;
    const count = await this.chain.transactionCount(this.wallet.address);
    const values = [network, this.wallet.address, count.toString()];
    await this.sql.query({ text: openWallet, values });
    const rows = await this.sql.query<StoredRow>({ text: selectUncounted, values });
    if (rows.length > 0) await this.chain.broadcast(rows.map((row) => stored(row).raw));
  }

  #hasExpired({ validBefore }: PaymentHold): boolean {
    return validBefore < BigInt(Math.floor(this.context.now().getTime() / 1_000)) + blockSeconds;
  }

  /** What comes back was read or written in the transaction itself: after the commit nothing can fail any more. */
  async #write(items: readonly Priced[]): Promise<readonly Submitted[]> {
    const timely = items.filter(({ hold }) => !this.#hasExpired(hold));
    return this.sql.transaction(async (tx) => {
      const numbered = timely.length === 0 ? [] : await this.#number(tx, timely);
      const holds = timely.map(({ hold }) => hold);
      const signed = this.#sign(holds, numbered, dearest(items));
      if (signed.size > 0) await this.#store(tx, [...signed.values()]);
      // After a lost connection the group may have been stored by its first attempt.
      const others = items.map(({ hold }) => hold.exchangeId).filter((id) => !signed.has(id));
      const earlier = others.length === 0 ? undefined : await this.#read(tx, others);
      return items.map((item) => {
        const { exchangeId } = item.hold;
        const transaction = signed.get(exchangeId) ?? earlier?.get(exchangeId)?.at(-1);
        return transaction ?? (timely.includes(item) ? 'taken' : 'expired');
      });
    });
  }

  async #number(tx: Sql, items: readonly Submission[]): Promise<readonly Numbered[]> {
    return tx.query<Numbered>({
      name: 'keyfare_submit_payments',
      text: submitPayments,
      values: [
        items.map(({ hold }) => hold.exchangeId),
        items.map(({ call }) => JSON.stringify(call)),
        items.map(({ body }) => body),
        items.map(({ waitingUntil }) => waitingUntil),
        items.map(({ hold }) => hold.unusedAtBlock.toString()),
        this.context.replica.id,
        this.context.network,
        this.wallet.address,
      ],
    });
  }

  #sign(
    holds: readonly PaymentHold[],
    numbered: readonly Numbered[],
    fees: Fees,
  ): ReadonlyMap<string, SignedTransaction> {
    const nonces = new Map(numbered.map((row) => [row.exchange_id, Number(row.wallet_nonce)]));
    const mine = holds.filter(({ exchangeId }) => nonces.has(exchangeId));
    const transactions = this.wallet.signTransfers(
      mine.map((hold) => settlementOf(hold, nonces.get(hold.exchangeId) ?? 0)),
      fees,
    );
    return new Map(transactions.map((transaction, index) => [mine[index]?.exchangeId ?? '', transaction]));
  }

  async #read(sql: Sql, exchangeIds: readonly string[]): Promise<ReadonlyMap<string, readonly SignedTransaction[]>> {
    const rows = await sql.query<StoredRow>({
      name: 'keyfare_find_settlements',
      text: selectSettlements,
      values: [exchangeIds],
    });
    const found = new Map<string, SignedTransaction[]>();
    for (const row of rows) {
      const list = found.get(row.exchange_id);
      if (list === undefined) found.set(row.exchange_id, [stored(row)]);
      else list.push(stored(row));
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
        this.context.network,
        this.wallet.address,
        this.context.now(),
      ],
    });
  }
}

/** One price for the group: what was enough for its last comer is not too little for the others. */
function dearest(items: readonly Priced[]): Fees {
  const all = items.map(({ fees }) => fees);
  return all.reduce((one, other) => (other.maxFeePerGas > one.maxFeePerGas ? other : one));
}
