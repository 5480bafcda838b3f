import { randomBytes } from 'node:crypto';
import type { PlanTerms } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { ListPool } from '../list-pool.js';
import { type PlanRow, planColumns, termsOf } from './plan-row.js';

export type AccountStatus = 'active' | 'suspended' | 'closed';

/** A customer under contract, with the terms that hold for them now. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly plan: PlanTerms;
  readonly status: AccountStatus;
  readonly createdAt: Date;
  /** From when on nothing is sold to it; null: no end was agreed. */
  readonly endsAt: Date | null;
}

/** Which accounts, and where the list goes on. */
export interface AccountQuery {
  readonly status?: AccountStatus | undefined;
  /** The slug of a plan, whichever version. */
  readonly plan?: string | undefined;
  /** A part of the name, in any case. */
  readonly search?: string | undefined;
  /** After this row, in order of creation. */
  readonly after: { readonly createdAt: string; readonly id: string } | null;
  readonly limit: number;
}

interface AccountRow extends PlanRow {
  readonly id: string;
  readonly name: string;
  readonly status: AccountStatus;
  readonly created_at: Date;
  readonly ends_at: Date | null;
}

const selectAccounts = `
  select a.id, a.name, a.status, a.created_at, a.ends_at, ${planColumns}
  from keyfare.account a join keyfare.plan p on p.id = a.plan_id`;

/** The accounts. What belongs to more than this room (terms in the log, limits of the meter) is the corridor's. */
@Injectable()
export class AccountService {
  constructor(
    private readonly sql: SqlPool,
    private readonly lists: ListPool,
  ) {}

  newId(): string {
    return `acct_${randomBytes(12).toString('base64url')}`;
  }

  /** 404 `account/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<Account> {
    const [row] = await sql.query<AccountRow>({ text: `${selectAccounts} where a.id = $1`, values: [id] });
    return accountOf(row);
  }

  /**
   * As `find`, and nobody else changes it until the caller's transaction ends. Two statements: a join that waited for
   * the lock would look for the plan of before among the account's plans of now, and find nothing.
   */
  async lock(tx: Sql, id: string): Promise<Account> {
    await this.#lock(tx, id);
    return this.find(id, tx);
  }

  /** The oldest first, in one statement; one more than `limit`, where there are so many. */
  async list({ status, plan, search, after, limit }: AccountQuery): Promise<readonly Account[]> {
    const rows = await this.lists.query<AccountRow>({
      text: `${selectAccounts}
        where ($1::text is null or a.status = $1) and ($2::text is null or p.slug = $2)
          and ($3::text is null or position(lower($3) in lower(a.name)) > 0)
          and ($4::timestamptz is null or (a.created_at, a.id) > ($4, $5))
        order by a.created_at, a.id limit $6`,
      values: [status ?? null, plan ?? null, search ?? null, after?.createdAt ?? null, after?.id ?? null, limit + 1],
    });
    return rows.map(accountOf);
  }

  /** Suspended accounts are refused with 403; what they used stays on their invoice. 404 `account/not-found`. */
  async setStatus(id: string, status: Exclude<AccountStatus, 'closed'>, sql: Sql = this.sql): Promise<Account> {
    await sql.query({
      text: `update keyfare.account set status = $2 where id = $1 and status not in ('closed', $2)`,
      values: [id, status],
    });
    return this.find(id, sql);
  }

  /** Inserts a new account within the caller's transaction; the database dates its first terms. */
  async insert(tx: Sql, account: { id: string; name: string; planId: string }): Promise<Revision> {
    const [row] = await tx.query<RevisionRow>({
      text: `insert into keyfare.account (id, name, plan_id, created_at, revision, effective_at)
        select $1, $2, $3, at, 1, at from date_trunc('milliseconds', clock_timestamp()) as at
        returning ${revisionColumns}`,
      values: [account.id, account.name, account.planId],
    });
    return revisionOf(row);
  }

  /**
   * Changes what was agreed with the account within the caller's transaction, which holds the row's lock from here on:
   * the lock orders the changes, so it also counts and dates them. What is left out stays. 404 `account/not-found`.
   */
  async revise(tx: Sql, id: string, { name, planId, endsAt }: AccountRevision): Promise<Revision> {
    await this.#lock(tx, id);
    const [row] = await tx.query<RevisionRow>({
      text: `update keyfare.account
        set name = coalesce($2, name), plan_id = coalesce($3, plan_id),
          ends_at = case when $4 then $5 else ends_at end, revision = revision + 1,
          effective_at = greatest(effective_at, date_trunc('milliseconds', clock_timestamp()))
        where id = $1 returning ${revisionColumns}`,
      values: [id, name ?? null, planId ?? null, endsAt !== undefined, endsAt ?? null],
    });
    return revisionOf(row);
  }

  /** Closes the account for good, now, by the clock that dates its terms. 404 `account/not-found`. */
  async close(tx: Sql, id: string): Promise<Revision> {
    await this.#lock(tx, id);
    const [row] = await tx.query<RevisionRow>({
      text: `update keyfare.account a
        set status = 'closed', ends_at = least(a.ends_at, at), revision = revision + 1, effective_at = at
        from (select greatest(effective_at, date_trunc('milliseconds', clock_timestamp())) as at
          from keyfare.account where id = $1) closing
        where id = $1 returning ${revisionColumns}`,
      values: [id],
    });
    return revisionOf(row);
  }

  async #lock(tx: Sql, id: string): Promise<void> {
    await tx.query({ text: 'select 1 from keyfare.account where id = $1 for update', values: [id] });
  }
}

/** What changes in a revision of an account's terms. `endsAt`: null takes the end of the contract away. */
export interface AccountRevision {
  readonly name?: string | undefined;
  readonly planId?: string | undefined;
  readonly endsAt?: Date | null | undefined;
}

/** One change of an account's terms: which one it is, and from when on it holds. */
export interface Revision {
  readonly accountName: string;
  readonly revision: bigint;
  readonly effectiveAt: Date;
  readonly endsAt: Date | null;
}

interface RevisionRow {
  readonly name: string;
  readonly revision: string;
  readonly effective_at: Date;
  readonly ends_at: Date | null;
}

const revisionColumns = 'name, revision, effective_at, ends_at';

function revisionOf(row: RevisionRow | undefined): Revision {
  if (row === undefined) throw new Problem('account/not-found');
  const { name: accountName, revision, effective_at: effectiveAt, ends_at: endsAt } = row;
  return { accountName, revision: BigInt(revision), effectiveAt, endsAt };
}

function accountOf(row: AccountRow | undefined): Account {
  if (row === undefined) throw new Problem('account/not-found');
  const { id, name, status } = row;
  return { id, name, plan: termsOf(row), status, createdAt: row.created_at, endsAt: row.ends_at };
}
