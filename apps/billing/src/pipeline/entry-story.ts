import { Problem } from '@keyfare/core/problem';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { billedCharges } from '../billed-charges.js';

/** An entry as billing has it, good or bad, with the account that it is of where it is of one. */
export interface EntryRow {
  readonly id: string;
  readonly place: string;
  readonly kind: string;
  readonly principal: string;
  readonly recorded_at: Date;
  readonly ingested_at: Date;
  readonly jws: string | null;
  readonly usage_rail: string | null;
  readonly usage_occurred_at: Date | null;
  readonly account: string | null;
  readonly account_name: string | null;
  readonly fault: string | null;
  readonly fault_detail: string | null;
}

export interface ChargeRow {
  readonly sku: string;
  readonly units: string;
  readonly included: string;
  readonly overage: string;
  readonly unit_price: string | null;
  readonly asset: 'USD' | 'USDC' | 'EURC';
  readonly amount: string;
  readonly period_start: Date;
}

/** What one entry says of a payment. */
export interface PaymentRow {
  readonly entry_id: string;
  readonly outcome: 'settled' | 'deferred' | 'refund-due' | 'settlement' | 'reversed' | 'unpaid';
  readonly call_id: string | null;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly pay_to: string;
  readonly amount: string;
  readonly transaction: string | null;
  readonly resource_url: string | null;
  readonly reason: string | null;
  readonly issued_at: Date;
  readonly place: string;
}

export interface MatchRow {
  readonly id: string;
  readonly rule: string;
  readonly state: 'provisional' | 'final' | 'undone';
  readonly asset: 'USD' | 'USDC' | 'EURC';
  readonly amount: string;
  readonly matched_at: Date;
  readonly transfer_id: string;
  readonly network: string;
  readonly transaction: string;
  readonly block_number: string;
  readonly block_hash: string;
  readonly block_time: Date;
  readonly log_index: number;
  readonly value: string;
}

/** One movement, with the journal that it is of. */
export interface MovementRow {
  readonly id: string;
  readonly kind: string;
  readonly source: string;
  readonly occurred_at: Date;
  readonly effective_at: Date;
  readonly booked_at: Date;
  readonly reverses: string | null;
  readonly debit: string;
  readonly credit: string;
  readonly asset: 'USD' | 'USDC' | 'EURC' | 'ETH';
  readonly amount: string;
}

export interface InvoiceRow {
  readonly id: string;
  readonly number: string | null;
  readonly state: string;
  readonly month: string;
}

export interface BreakRow {
  readonly id: string;
  readonly class: string;
  readonly asset: 'USD' | 'USDC' | 'EURC' | null;
  readonly amount: string | null;
  readonly side: string;
  readonly detail: string;
  readonly first_seen: Date;
}

/** An entry with everything that the books have of it. */
export interface EntryStory {
  readonly entry: EntryRow;
  readonly charge: ChargeRow | undefined;
  /** What it says of its payment; undefined for an entry without one. */
  readonly payment: PaymentRow | undefined;
  /** What all entries say of that payment, in the order of the log. */
  readonly life: readonly PaymentRow[];
  readonly matches: readonly MatchRow[];
  readonly movements: readonly MovementRow[];
  readonly invoice: InvoiceRow | undefined;
  readonly breaks: readonly BreakRow[];
}

/** The kinds of entries that earn, owe or take back something: each names the source of its journal. */
const bookedKinds = ['call', 'refund-due', 'settlement', 'reversed', 'unpaid'] as const;
/** More than any honest payment has of anything. */
const most = 200;

/** Reads what became of one entry in the books. */
@Injectable()
export class EntryStories {
  constructor(private readonly sql: SqlPool) {}

  /** The good entry with this id, else the first of those that were refused. 404 `entry/not-found`. */
  async find(named: string): Promise<EntryStory> {
    if (!z.guid().safeParse(named).success) throw new Problem('entry/not-found');
    const { sql } = this;
    const [entry] = await sql.query<EntryRow>({ text: entryText, values: [named] });
    if (entry === undefined) throw new Problem('entry/not-found');
    // In lower case, as it is in the names of journals and in the keys of breaks.
    const { id } = entry;
    // Nothing of a refused entry is in the books, though another one with its id may be.
    const isGood = entry.fault === null;
    const [charge, life, invoice] = isGood
      ? await Promise.all([this.#charge(id), this.#life(id), this.#invoice(id, entry.account)])
      : [undefined, [], undefined];
    const payment = life.find(({ entry_id }) => entry_id === id);
    const matches = payment === undefined ? [] : await this.#matches(payment.call_id ?? id);
    const sources = [
      ...bookedKinds.map((kind) => `${kind}:${id}`),
      ...matches.filter(({ state }) => state !== 'undone').map(({ transfer_id: transfer }) => `transfer:${transfer}`),
    ];
    const [movements, breaks] = await Promise.all([
      isGood ? sql.query<MovementRow>({ text: movementText, values: [sources, most] }) : [],
      sql.query<BreakRow>({
        text: breakText,
        values: [id, isGood ? sources : [], payment?.payer ?? null, payment?.nonce ?? null, most],
      }),
    ]);
    return { entry, charge, payment, life, matches, movements, invoice, breaks };
  }

  async #charge(id: string): Promise<ChargeRow | undefined> {
    const [charge] = await this.sql.query<ChargeRow>({
      text: `select sku, units, included, overage, unit_price, asset, amount, period_start
        from billing.charge where entry_id = $1`,
      values: [id],
    });
    return charge;
  }

  async #life(id: string): Promise<readonly PaymentRow[]> {
    return this.sql.query<PaymentRow>({
      text: `select p.* from billing.payment one
        join billing.payment p using (network, asset, payer, nonce) where one.entry_id = $1 order by p.place limit $2`,
      values: [id, most],
    });
  }

  async #invoice(id: string, account: string | null): Promise<InvoiceRow | undefined> {
    if (account === null) return undefined;
    const [invoice] = await this.sql.query<InvoiceRow>({ text: invoiceText, values: [id, account] });
    return invoice;
  }

  async #matches(id: string): Promise<readonly MatchRow[]> {
    return this.sql.query<MatchRow>({
      text: `select m.id, m.rule, m.state, m.asset, m.amount, m.matched_at, t.id as transfer_id, t.network, t.transaction,
          t.block_number, t.block_hash, t.block_time, t.log_index, t.value
        from billing.match m join billing.chain_transfer t on t.id = m.transfer_id
        where m.entry_id = $1 order by m.matched_at, m.id limit $2`,
      values: [id, most],
    });
  }
}

const entryText = `
  with found as (
    select e.*, coalesce(e.usage_account, case when e.kind = 'terms' then e.principal end) as account
    from billing.entry e where e.id = $1 order by e.fault is not null, e.place limit 1)
  select f.id, f.place, f.kind, f.principal, f.recorded_at, f.ingested_at, f.jws, f.usage_rail, f.usage_occurred_at,
    f.account, f.fault, f.fault_detail, (
      select t.account_name from billing.terms t where t.account = f.account
      order by t.revision desc, t.effective_at desc, t.place desc limit 1) as account_name
  from found f`;

// A reversal has the source of the journal that it undoes.
const movementText = `
  select j.id, j.kind, j.source, j.occurred_at, j.effective_at, j.booked_at, j.reverses, m.debit, m.credit, m.asset,
    m.amount
  from billing.journal j join billing.movement m on m.journal_id = j.id
  where j.source = any($1::text[]) order by j.booked_at, j.id, m.line limit $2`;

const invoiceText = `
  with ${billedCharges('$2')}
  select i.id, i.number, i.state, to_char(i.period_start at time zone i.time_zone, 'YYYY-MM') as month from billed b
  join billing.invoice i on i.account = b.account and i.period_start = b.month and i.state <> 'void'
  where b.entry_id = $1`;

const breakText = `
  select id, class, asset, amount, side, detail, first_seen from billing.break
  where status = 'open' and (keys ->> 'entry' = $1 or keys ->> 'first' = $1 or keys ->> 'firstEntry' = $1
    or keys ->> 'source' = any($2::text[]) or keys ->> 'payer' = $3 and keys ->> 'nonce' = $4)
  order by first_seen, id limit $5`;
