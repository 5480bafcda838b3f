import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { type Clock, monthOf } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { readPeriod } from '../billing-periods.js';
import { clock } from '../tokens.js';
import { awaitBooks, awaitIntake } from '../turns.js';
import { MasterData } from './master-data.js';

/** A price of a contract's own, in micro-dollars for a unit beyond the plan; null: the plan's again. */
export interface ContractPrice {
  readonly id: string;
  readonly sku: string;
  readonly unitPrice: bigint | null;
  readonly validFrom: Date;
  readonly madeBy: string;
  readonly madeAt: Date;
}

/** What a period comes to at least, in micro-dollars. */
export interface ContractCommit {
  readonly id: string;
  readonly amount: bigint;
  readonly validFrom: Date;
  readonly madeBy: string;
  readonly madeAt: Date;
}

interface Contract {
  readonly id: string;
  readonly account: string;
  readonly startsAt: Date;
  readonly endsAt: Date | null;
}

/** Prices and commits of contracts. What they say of the past never changes. */
@Injectable()
export class ContractTerms {
  constructor(
    private readonly sql: SqlPool,
    private readonly data: MasterData,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** By product, the oldest first. 404 `contract/not-found`. */
  async prices(contract: string, sql: Sql = this.sql): Promise<readonly ContractPrice[]> {
    const { id } = await this.data.find('contract', contract, sql);
    const rows = await sql.query<Omit<ContractPrice, 'unitPrice'> & { readonly unitPrice: string | null }>({
      text: `select id, sku, unit_price::text as "unitPrice", valid_from as "validFrom", made_by as "madeBy",
          made_at as "madeAt"
        from billing.contract_price where contract_id = $1 order by sku, valid_from`,
      values: [id],
    });
    return rows.map(({ unitPrice, ...row }) =>
      Object.assign(row, { unitPrice: unitPrice === null ? null : BigInt(unitPrice) }),
    );
  }

  /** The oldest first. 404 `contract/not-found`. */
  async commits(contract: string, sql: Sql = this.sql): Promise<readonly ContractCommit[]> {
    const { id } = await this.data.find('contract', contract, sql);
    const rows = await sql.query<Omit<ContractCommit, 'amount'> & { readonly amount: string }>({
      text: `select id, amount::text as amount, valid_from as "validFrom", made_by as "madeBy", made_at as "madeAt"
        from billing.contract_commit where contract_id = $1 order by valid_from`,
      values: [id],
    });
    return rows.map(({ amount, ...row }) => Object.assign(row, { amount: BigInt(amount) }));
  }

  /**
   * A price from a time on, within the caller's transaction. 404 `contract/not-found`; 409 `contract/conflict` for a
   * time in which the contract does not hold, from which on calls are charged already, or of which there is a price.
   */
  async addPrice(
    tx: Sql,
    contract: string,
    { sku, unitPrice, validFrom, by }: Pick<ContractPrice, 'sku' | 'unitPrice' | 'validFrom'> & { readonly by: string },
  ): Promise<ContractPrice> {
    await awaitIntake(tx);
    await awaitBooks(tx);
    const found = await this.#hold(tx, contract, { from: validFrom, until: new Date(validFrom.getTime() + 1) });
    await requireUncharged(tx, found.account, validFrom);
    const id = randomUUID();
    const added = await tx.query({
      text: `insert into billing.contract_price (id, contract_id, sku, unit_price, valid_from, made_by, made_at)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (contract_id, sku, valid_from) do nothing returning id`,
      values: [id, found.id, sku, unitPrice?.toString() ?? null, validFrom, by, this.now()],
    });
    if (added.length === 0)
      throw new Problem('contract/conflict', 'There is a price of the product from this time on.');
    return { id, sku, unitPrice, validFrom, madeBy: by, madeAt: this.now() };
  }

  /**
   * What each period of the invoices comes to at least, from one on, within the caller's transaction. 404
   * `contract/not-found`; 400 `request/invalid` for a time that starts no period; 409 `contract/conflict` for a period
   * in which the contract does not hold, from which on invoices are final already, or of which there is a commit.
   */
  async addCommit(
    tx: Sql,
    contract: string,
    { amount, validFrom, by }: Pick<ContractCommit, 'amount' | 'validFrom'> & { readonly by: string },
  ): Promise<ContractCommit> {
    await awaitBooks(tx);
    const { account } = (await this.data.find('contract', contract, tx)) as never as Contract;
    const { start, end } = await readPeriod(tx, account, validFrom);
    if (start.getTime() !== validFrom.getTime()) {
      const detail = `A commit begins with a period of the invoices: that of this time began at ${start.toISOString()}.`;
      throw new Problem('request/invalid', detail);
    }
    const found = await this.#hold(tx, contract, { from: validFrom, until: end });
    const finals = await tx.query({
      text: `select 1 from billing.invoice
        where account = $1 and period_start >= $2 and state not in ('draft', 'void') limit 1`,
      values: [found.account, validFrom],
    });
    if (finals.length > 0) throw new Problem('contract/conflict', 'Invoices from this period on are final already.');
    const id = randomUUID();
    const added = await tx.query({
      text: `insert into billing.contract_commit (id, contract_id, amount, valid_from, made_by, made_at)
        values ($1, $2, $3, $4, $5, $6) on conflict (contract_id, valid_from) do nothing returning id`,
      values: [id, found.id, amount.toString(), validFrom, by, this.now()],
    });
    if (added.length === 0) throw new Problem('contract/conflict', 'There is a commit from this period on.');
    return { id, amount, validFrom, madeBy: by, madeAt: this.now() };
  }

  /** The contract, which must hold in a part of `[from, until)`. */
  async #hold(tx: Sql, contract: string, { from, until }: Readonly<Record<'from' | 'until', Date>>): Promise<Contract> {
    const { id, account, startsAt, endsAt } = (await this.data.find('contract', contract, tx)) as never as Contract;
    if (until <= startsAt || (endsAt !== null && from >= endsAt)) {
      throw new Problem('contract/conflict', 'The contract does not hold then.');
    }
    return { id, account, startsAt, endsAt };
  }
}

/**
 * Makes sure that no call of an account from a time on is charged: what was charged is never charged again at another
 * price. The caller has the turns of the intake and the books. 409 `contract/conflict`.
 */
export async function requireUncharged(tx: Sql, account: string, from: Date): Promise<void> {
  const charged = await tx.query({
    text: `select 1 from billing.charge where rail = 'key' and account = $1 and period_start >= $2 and occurred_at >= $3
      limit 1`,
    values: [account, monthOf(from).start, from],
  });
  if (charged.length > 0)
    throw new Problem('contract/conflict', 'Calls of the account from then on are charged already.');
}

/**
 * Makes sure that another end of a contract changes no price at which a call was charged. Within the caller's
 * transaction. 409 `contract/conflict`.
 */
export async function requirePricesKept(
  tx: Sql,
  { id, account, endsAt: before }: { readonly id: string; readonly account: string; readonly endsAt: string | null },
  after: string | null,
): Promise<void> {
  if (before === after) return;
  await awaitIntake(tx);
  await awaitBooks(tx);
  const prices = await tx.query({
    text: 'select 1 from billing.contract_price where contract_id = $1 limit 1',
    values: [id],
  });
  if (prices.length === 0) return;
  const [first = ''] = [before, after].filter((end) => end !== null).toSorted();
  await requireUncharged(tx, account, new Date(first));
}
