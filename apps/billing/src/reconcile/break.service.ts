import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock } from '../tokens.js';
import { type Break, type BreakRow, breakOf } from './break-row.js';
import { changeByOperator, resolveByOperator } from './breaks.sql.js';

/** What an operator changes. What is left out stays. */
export interface BreakChange {
  readonly owner?: string | null | undefined;
  /** A text resolves the break, null opens it again. */
  readonly resolution?: string | null | undefined;
  readonly note?: string | null | undefined;
}

/** Which breaks, and how many of them. */
export interface BreakQuery {
  readonly status?: 'open' | 'resolved' | undefined;
  readonly class?: string | undefined;
  /** The id of the one after which the list goes on: a break is never removed, and stays where it is. */
  readonly after: string | null;
  readonly limit: number;
}

/** The list of breaks, for those who work on it. */
@Injectable()
export class BreakService {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The oldest first; one more than `limit`, where there are so many. */
  async list({ status, class: name, after, limit }: BreakQuery, sql: Sql = this.sql): Promise<readonly Break[]> {
    if (
      after !== null &&
      (await sql.query({ text: 'select 1 from billing.break where id = $1', values: [after] })).length === 0
    ) {
      throw new Problem('request/invalid', 'The cursor is none that this list gave.');
    }
    const rows = await sql.query<BreakRow>({
      text: `select * from billing.break
        where ($1::text is null or status = $1) and ($2::text is null or class = $2)
          and ($3::text is null or (first_seen, id) > (select first_seen, id from billing.break where id = $3))
        order by first_seen, id limit $4`,
      values: [status ?? null, name ?? null, after, limit + 1],
    });
    return rows.map(breakOf);
  }

  /** 404 `break/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<Break> {
    const [row] = await sql.query<BreakRow>({ text: 'select * from billing.break where id = $1', values: [id] });
    if (row === undefined) throw new Problem('break/not-found');
    return breakOf(row);
  }

  /**
   * As `find`, and nobody else changes it until the caller's transaction ends. First the table, as a run of the
   * reconciliation locks it: in the other order the two would wait for each other.
   */
  async lock(tx: Sql, id: string): Promise<Break> {
    await tx.query({ text: 'lock table billing.break in row exclusive mode' });
    await tx.query({ text: 'select 1 from billing.break where id = $1 for update', values: [id] });
    return this.find(id, tx);
  }

  /** Changes what `lock` locked. 404 `break/not-found`. */
  async change(tx: Sql, id: string, { owner, resolution, note }: BreakChange): Promise<Break> {
    if (resolution !== undefined) await tx.query({ text: resolveByOperator, values: [id, this.now(), resolution] });
    await tx.query({
      text: changeByOperator,
      values: [id, owner !== undefined, owner ?? null, note !== undefined, note ?? null],
    });
    return this.find(id, tx);
  }
}
