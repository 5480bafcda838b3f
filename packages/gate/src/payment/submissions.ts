import { GroupCommit } from '@keyfare/db/group-commit';
import type { Sql, SqlPool } from '@keyfare/db/sql';
import type { Chain, Fees } from '@keyfare/evm/chain';
import type { Settlement, SettlerWallet, SignedTransaction } from '@keyfare/evm/settler';
import type { PaidCall, PaymentHold } from './call.js';
import {
  numberPayments,
  openWallet,
  selectSettlements,
  selectUncounted,
  storeSettlements,
  submitPayments,
  takeNonces,
} from './submit.sql.js';

/** A served call whose payment shall be broadcast. */
export interface Submission {
  readonly hold: PaymentHold;
  readonly call: PaidCall;
  readonly body: Buffer;
  /** Until when the caller waits. */
  readonly waitingUntil: Date;
}

interface StoredRow {
  readonly exchange_id: string;
  readonly transaction: `0x${string}`;
  readonly wallet_nonce: string;
  readonly raw: Buffer;
  readonly max_fee_per_gas: string;
  readonly max_priority_fee_per_gas: string;
}

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
  readonly #group: GroupCommit<Submission, SignedTransaction | null>;
  #opened = false;

  constructor(
    private readonly sql: SqlPool,
    private readonly chain: Chain,
    private readonly wallet: SettlerWallet,
    private readonly context: { readonly network: string; readonly replicaId: string; readonly now: () => Date },
  ) {
    this.#group = new GroupCommit({ write: (items) => this.#write(items), maxItems: 100 });
  }

  /** The wallet that pays the gas. */
  get address(): `0x${string}` {
    return this.wallet.address;
  }

  /** The stored transaction; null when the claim was taken from this process meanwhile, and nothing may be sent. */
  async submit(submission: Submission): Promise<SignedTransaction | null> {
    await this.open();
    return this.#group.commit(submission);
  }

  /**
   * Brings the wallet's nonce in line with the chain, once, and sends again what the chain does not know though it is
   * stored: so a chain that lost its newest blocks gets the same transactions back. Throws `ChainUnavailable`.
   */
  async open(): Promise<void> {
    if (this.#opened) return;
    const { network } = this.context;
    const count = await this.chain.transactionCount(this.wallet.address);
    await this.sql.query({ text: openWallet, values: [network, this.wallet.address, count.toString()] });
    const rows = await this.sql.query<StoredRow>({
      text: selectUncounted,
      values: [network, this.wallet.address, count.toString()],
    });
    if (rows.length > 0) await this.chain.broadcast(rows.map((row) => stored(row).raw));
    this.#opened = true;
  }

  /** All transactions stored for these payments, oldest first, by exchange. */
  async find(exchangeIds: readonly string[]): Promise<ReadonlyMap<string, readonly SignedTransaction[]>> {
    const rows = await this.sql.query<StoredRow>({
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

  /** A transaction with the same nonce and higher fees, stored like the first. */
  async replace(hold: PaymentHold, replaced: SignedTransaction): Promise<SignedTransaction> {
    const fees = await this.chain.fees();
    const replacement = this.wallet.signReplacement(settlementOf(hold, replaced.nonce), replaced.fees, fees);
    await this.#store(this.sql, [replacement]);
    return replacement;
  }

  /** A transaction under a fresh nonce, for a payment whose nonce something else has used. */
  async renew(hold: PaymentHold): Promise<SignedTransaction> {
    this.#opened = false;
    await this.open();
    const fees = await this.chain.fees();
    return this.sql.transaction(async (tx) => {
      const [signed] = await this.#sign(tx, [hold], fees);
      if (signed === undefined) throw new Error('nothing was signed');
      return signed;
    });
  }

  async close(): Promise<void> {
    await this.#group.close();
  }

  async #write(items: readonly Submission[]): Promise<readonly (SignedTransaction | null)[]> {
    const fees = await this.chain.fees();
    const ids = items.map(({ hold }) => hold.exchangeId);
    await this.sql.transaction(async (tx) => {
      const owned = await tx.query<{ exchange_id: string }>({
        name: 'keyfare_submit_payments',
        text: submitPayments,
        values: [
          ids,
          items.map(({ call }) => JSON.stringify(call)),
          items.map(({ body }) => body),
          items.map(({ waitingUntil }) => waitingUntil),
          this.context.replicaId,
          this.wallet.address,
        ],
      });
      const mine = new Set(owned.map((row) => row.exchange_id));
      await this.#sign(
        tx,
        items.filter(({ hold }) => mine.has(hold.exchangeId)).map(({ hold }) => hold),
        fees,
      );
    });
    // Read back rather than remembered: after a lost connection the group may have been stored by its first attempt.
    const found = await this.find(ids);
    return ids.map((id) => found.get(id)?.at(-1) ?? null);
  }

  async #sign(tx: Sql, holds: readonly PaymentHold[], fees: Fees): Promise<readonly SignedTransaction[]> {
    if (holds.length === 0) return [];
    const [row] = await tx.query<{ first: string }>({
      name: 'keyfare_take_nonces',
      text: takeNonces,
      values: [this.context.network, this.wallet.address, holds.length],
    });
    if (row === undefined) throw new Error('the settler wallet is not open');
    const first = Number(row.first);
    const transactions = this.wallet.signTransfers(
      holds.map((hold, index) => settlementOf(hold, first + index)),
      fees,
    );
    await this.#store(tx, transactions);
    await tx.query({
      name: 'keyfare_number_payments',
      text: numberPayments,
      values: [
        holds.map((hold) => hold.exchangeId),
        transactions.map(({ nonce }) => nonce.toString()),
        this.wallet.address,
      ],
    });
    return transactions;
  }

  async #store(tx: Sql, transactions: readonly SignedTransaction[]): Promise<void> {
    await tx.query({
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
