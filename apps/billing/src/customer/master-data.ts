import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock } from '../tokens.js';

/** The columns of each table beside `id` and `created_at`, by the names that answers have. */
const tables = {
  seller: ['legalName', 'address', 'country', 'taxId', 'payTo', 'series'],
  customer: [
    'legalName',
    'address',
    'country',
    'taxId',
    'contacts',
    'language',
    'reportingCurrency',
    'paymentDays',
    'taxCode',
  ],
  contract: ['customerId', 'sellerId', 'account', 'startsAt', 'endsAt', 'periodAnchor', 'timeZone'],
  tax_rate: ['code', 'validFrom', 'basisPoints', 'reverseCharge', 'reason'],
} as const;

export type MasterTable = keyof typeof tables;
/** A row; times as PostgreSQL read them. */
export type MasterRow = Readonly<Record<string, unknown>> & { readonly id: string; readonly createdAt: Date };

const problems = {
  seller: { missing: 'seller/not-found', conflict: 'seller/conflict' },
  customer: { missing: 'customer/not-found', conflict: null },
  contract: { missing: 'contract/not-found', conflict: null },
  tax_rate: { missing: 'tax-rate/not-found', conflict: 'tax-rate/conflict' },
} as const;

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const uniqueViolation = '23505';

/** Who sells, who is invoiced and for what: what people enter, and the books read. */
@Injectable()
export class MasterData {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) readonly now: Clock,
  ) {}

  /** In the order in which they were made; one more than `limit`, where there are so many. */
  async list(
    table: MasterTable,
    { after, limit }: { readonly after: string | null; readonly limit: number },
  ): Promise<readonly MasterRow[]> {
    const known = after === null || (await this.#read(this.sql, table, after)) !== undefined;
    if (!known) throw new Problem('request/invalid', 'The cursor is none that this list gave.');
    return this.sql.query<MasterRow>({
      text: `select ${selected(table)} from billing.${table}
        where ($1::uuid is null or (created_at, id) > (select created_at, id from billing.${table} where id = $1))
        order by created_at, id limit $2`,
      values: [after, limit + 1],
    });
  }

  /** 404 of the table. `lock`: nobody else changes it until the caller's transaction ends. */
  async find(table: MasterTable, id: string, sql: Sql = this.sql, lock = false): Promise<MasterRow> {
    const row = await this.#read(sql, table, id, lock);
    if (row === undefined) throw new Problem(problems[table].missing);
    return row;
  }

  /** 409 of the table for a series or a rate that there is already. */
  async add(tx: Sql, table: MasterTable, given: Readonly<Record<string, unknown>>): Promise<MasterRow> {
    const columns = tables[table];
    const id = randomUUID();
    await this.#write(table, async () =>
      tx.query({
        text: `insert into billing.${table} (id, created_at, ${columns.map(snake).join(', ')})
          values ($1, $2, ${columns.map((_, index) => `$${index + 3}`).join(', ')})`,
        values: [id, this.now(), ...columns.map((column) => valueOf(given[column]))],
      }),
    );
    return this.find(table, id, tx);
  }

  /** Only what is given changes. 409 as `add`. */
  async change(tx: Sql, table: MasterTable, id: string, given: Readonly<Record<string, unknown>>): Promise<MasterRow> {
    const columns = tables[table].filter((column) => given[column] !== undefined);
    await this.#write(table, async () =>
      tx.query({
        text: `update billing.${table} set ${columns.map((name, index) => `${snake(name)} = $${index + 2}`).join(', ')}
          where id = $1`,
        values: [id, ...columns.map((column) => valueOf(given[column]))],
      }),
    );
    return this.find(table, id, tx);
  }

  /**
   * Makes sure that an account is one customer's at a time, until the caller's transaction ends. 409
   * `contract/conflict` when another contract than `except` holds in `[startsAt, endsAt)`.
   */
  async requireFree(
    tx: Sql,
    { account, startsAt, endsAt, except }: { account: string; startsAt: Date; endsAt: Date | null; except?: string },
  ): Promise<void> {
    // Two that are made at once would not see each other.
    await tx.query({ text: 'lock table billing.contract in share row exclusive mode' });
    const others = await tx.query({
      text: `select 1 from billing.contract where account = $1 and id is distinct from $4::uuid
        and starts_at < coalesce($3::timestamptz, 'infinity') and coalesce(ends_at, 'infinity') > $2`,
      values: [account, startsAt, endsAt, except ?? null],
    });
    if (others.length > 0) throw new Problem('contract/conflict', 'The account has a contract in this time.');
  }

  async #read(sql: Sql, table: MasterTable, id: string, lock = false): Promise<MasterRow | undefined> {
    if (!uuid.test(id)) return undefined;
    const [row] = await sql.query<MasterRow>({
      text: `select ${selected(table)} from billing.${table} where id = $1${lock ? ' for update' : ''}`,
      values: [id],
    });
    return row;
  }

  async #write(table: MasterTable, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const { conflict } = problems[table];
      if (conflict !== null && errorCode(error) === uniqueViolation) {
        throw new Problem(conflict, undefined, { cause: error });
      }
      throw error;
    }
  }
}

function selected(table: MasterTable): string {
  return ['id', 'createdAt', ...tables[table]].map((name) => `${snake(name)} as "${name}"`).join(', ');
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

/** A list is JSON for PostgreSQL, not an array of it. */
function valueOf(value: unknown): unknown {
  if (value === undefined) return null;
  return Array.isArray(value) ? JSON.stringify(value) : value;
}
