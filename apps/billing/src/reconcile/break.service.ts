import { randomUUID } from 'node:crypto';
import type { AssetCode } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock } from '../tokens.js';
import { type Break, type BreakRow, breakOf, breakRows } from './break-row.js';
import { changeByOperator, resolveByOperator } from './breaks.sql.js';
import type { BreakCommentEntity, BreakEventEntity } from './case.entity.js';
import type { ResolutionKind } from './kinds.js';

/** Who changes a break. */
export interface By {
  readonly id: string;
  readonly name: string;
}

/** What an operator changes of the work on a break. What is left out stays. */
export interface BreakChange {
  readonly owner?: string | null | undefined;
  readonly note?: string | null | undefined;
  /** A day, `YYYY-MM-DD`. */
  readonly dueOn?: string | null | undefined;
}

/** A resolution as it is written down: one posting, or none. */
export interface NewResolution {
  readonly kind: ResolutionKind;
  readonly text: string;
  readonly posting: {
    readonly asset: AssetCode;
    readonly amount: bigint;
    readonly debit: string;
    readonly credit: string;
  } | null;
  readonly needsSecond: boolean;
}

/** Which breaks, and how many of them. */
export interface BreakQuery {
  readonly status?: 'open' | 'resolved' | undefined;
  readonly classes?: readonly string[] | undefined;
  readonly owner?: string | undefined;
  /** The id of the one after which the list goes on: a break is never removed, and stays where it is. */
  readonly after: string | null;
  readonly limit: number;
}

/** Which rows that belong to a break: those after an id, and one more than `limit`. */
export interface PartQuery {
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
  async list({ status, classes, owner, after, limit }: BreakQuery, sql: Sql = this.sql): Promise<readonly Break[]> {
    if (
      after !== null &&
      (await sql.query({ text: 'select 1 from billing.break where id = $1', values: [after] })).length === 0
    ) {
      throw new Problem('request/invalid', 'The cursor is none that this list gave.');
    }
    const rows = await sql.query<BreakRow>({
      text: `${breakRows}
        where ($1::text is null or status = $1) and ($2::text[] is null or class = any($2))
          and ($3::text is null or (first_seen, id) > (select first_seen, id from billing.break where id = $3))
          and ($5::text is null or owner = $5)
        order by first_seen, id limit $4`,
      values: [status ?? null, classes ?? null, after, limit + 1, owner ?? null],
    });
    return rows.map(breakOf);
  }

  /** 404 `break/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<Break> {
    const [row] = await sql.query<BreakRow>({ text: `${breakRows} where b.id = $1`, values: [id] });
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

  /** Changes what `lock` locked. */
  async change(tx: Sql, id: string, { owner, note, dueOn }: BreakChange): Promise<void> {
    await tx.query({
      text: changeByOperator,
      values: [id, owner !== undefined, owner ?? null, note !== undefined, note ?? null],
    });
    if (dueOn === undefined) return;
    await tx.query({ text: 'update billing.break set due_on = $2 where id = $1', values: [id, dueOn] });
  }

  /** Writes down a resolution of a break that is open and has none that is live; its number among the break's. */
  async propose(tx: Sql, found: Break, { kind, text, posting, needsSecond }: NewResolution, by: By): Promise<number> {
    const decided = needsSecond ? [null, null, null] : [by.id, by.name, this.now()];
    const [row] = await tx.query<{ nth: number }>({
      text: `insert into billing.break_resolution (id, break_id, nth, kind, text, asset, amount, debit, credit, state,
          needs_second, proposed_by, proposed_name, proposed_at, decided_by, decided_name, decided_at)
        select $1, $2, 1 + (select count(*) from billing.break_resolution where break_id = $2), $3, $4, $5, $6, $7, $8,
          case when $9::boolean then 'proposed' else 'posted' end, $9, $10, $11, $12, $13, $14, $15
        returning nth`,
      values: [
        randomUUID(),
        found.id,
        kind,
        text,
        posting?.asset ?? null,
        posting?.amount.toString() ?? null,
        posting?.debit ?? null,
        posting?.credit ?? null,
        needsSecond,
        by.id,
        by.name,
        this.now(),
        ...decided,
      ],
    });
    if (needsSecond) await this.#note(tx, found, { what: 'proposed', text, by });
    else await this.#settle(tx, found, { text, by });
    return row?.nth ?? 0;
  }

  /** The second operator says yes: the break is resolved. */
  async approve(tx: Sql, found: Break, by: By): Promise<void> {
    await this.#decide(tx, found, { state: 'posted', by });
    await this.#settle(tx, found, { text: found.live?.text ?? '', by });
  }

  /** Takes a proposal off the table: its own operator, or another. */
  async reject(tx: Sql, found: Break, by: By): Promise<void> {
    await this.#decide(tx, found, { state: 'rejected', by });
    await this.#note(tx, found, { what: 'rejected', text: found.live?.text ?? null, by });
  }

  /** Opens a resolved break again. */
  async reopen(tx: Sql, found: Break, by: By): Promise<void> {
    await this.#resolve(tx, found.id, null);
    await this.#note(tx, found, { what: 'reopened', text: found.resolution, by });
  }

  /** Its live resolution is over: its journal is reversed by the caller. */
  async undo(tx: Sql, found: Break, by: By | null): Promise<void> {
    await tx.query({
      text: `update billing.break_resolution set state = 'undone', undone_at = $2 where break_id = $1 and state = 'posted'`,
      values: [found.id, this.now()],
    });
    if (by === null) await this.#note(tx, found, { what: 'undone', text: found.live?.text ?? null, by });
  }

  /** Those whose resolution stands for a difference that is no more, or is another now. */
  async stale(sql: Sql): Promise<readonly string[]> {
    const rows = await sql.query<{ id: string }>({
      text: `select b.id from billing.break_resolution r join billing.break b on b.id = r.break_id
        where r.state = 'posted' and (b.status = 'open' or (not b.present and r.kind <> 'no-posting'))
          or r.state = 'proposed' and b.status = 'resolved'
        order by b.id`,
    });
    return rows.map(({ id }) => id);
  }

  /** Takes back a proposal for a break that a reconciliation resolved meanwhile. */
  async withdraw(tx: Sql, found: Break): Promise<void> {
    await this.#decide(tx, found, { state: 'rejected', by: { id: 'system', name: 'system' } });
    await this.#note(tx, found, { what: 'rejected', text: 'the difference has gone', by: null });
  }

  async comment(tx: Sql, id: string, { text, by }: { text: string; by: By }): Promise<BreakCommentEntity> {
    const [row] = await tx.query<CommentRow>({
      text: `insert into billing.break_comment (break_id, at, operator_id, operator_name, text)
        values ($1, $2, $3, $4, $5) returning *`,
      values: [id, this.now(), by.id, by.name, text],
    });
    if (row === undefined) throw new TypeError('an insert returns its row');
    return commentOf(row);
  }

  async comments(id: string, { after, limit }: PartQuery): Promise<readonly BreakCommentEntity[]> {
    const rows = await this.sql.query<CommentRow>({
      text: 'select * from billing.break_comment where break_id = $1 and id > $2 order by id limit $3',
      values: [id, after ?? '0', limit + 1],
    });
    return rows.map(commentOf);
  }

  async events(id: string, { after, limit }: PartQuery): Promise<readonly BreakEventEntity[]> {
    const rows = await this.sql.query<EventRow>({
      text: 'select * from billing.break_event where break_id = $1 and id > $2 order by id limit $3',
      values: [id, after ?? '0', limit + 1],
    });
    return rows.map((row) => ({
      id: BigInt(row.id),
      breakId: row.break_id,
      at: row.at,
      what: row.what,
      operatorId: row.operator_id,
      operatorName: row.operator_name,
      asset: row.asset,
      amount: row.amount === null ? null : BigInt(row.amount),
      side: row.side,
      detail: row.detail,
      text: row.text,
    }));
  }

  async #settle(tx: Sql, found: Break, { text, by }: { text: string; by: By }): Promise<void> {
    await this.#resolve(tx, found.id, text);
    await this.#note(tx, found, { what: 'resolved', text, by });
  }

  async #decide(tx: Sql, { id }: Break, { state, by }: { state: 'posted' | 'rejected'; by: By }): Promise<void> {
    await tx.query({
      text: `update billing.break_resolution set state = $2, decided_by = $3, decided_name = $4, decided_at = $5
        where break_id = $1 and state = 'proposed'`,
      values: [id, state, by.id, by.name, this.now()],
    });
  }

  /** The setting tells the trigger that writes history of runs to leave this change to `#note`. */
  async #resolve(tx: Sql, id: string, text: string | null): Promise<void> {
    await tx.query({ text: `select set_config('billing.operator_writes', 'yes', true)` });
    await tx.query({ text: resolveByOperator, values: [id, this.now(), text] });
    await tx.query({ text: `select set_config('billing.operator_writes', '', true)` });
  }

  async #note(
    tx: Sql,
    { id, asset, amount, side, detail }: Break,
    { what, text, by }: { what: BreakEventEntity['what']; text: string | null; by: By | null },
  ): Promise<void> {
    await tx.query({
      text: `insert into billing.break_event (break_id, at, what, operator_id, operator_name, asset, amount, side, detail,
        text) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      values: [
        id,
        this.now(),
        what,
        by?.id ?? null,
        by?.name ?? null,
        asset,
        amount?.toString() ?? null,
        side,
        detail,
        text,
      ],
    });
  }
}

interface CommentRow {
  readonly id: string;
  readonly break_id: string;
  readonly at: Date;
  readonly operator_id: string;
  readonly operator_name: string;
  readonly text: string;
}

interface EventRow extends Omit<CommentRow, 'operator_id' | 'operator_name' | 'text'> {
  readonly what: BreakEventEntity['what'];
  readonly operator_id: string | null;
  readonly operator_name: string | null;
  readonly asset: AssetCode | null;
  readonly amount: string | null;
  readonly side: string;
  readonly detail: string;
  readonly text: string | null;
}

function commentOf(row: CommentRow): BreakCommentEntity {
  const { break_id: breakId, at, operator_id: operatorId, operator_name: operatorName, text } = row;
  return { id: BigInt(row.id), breakId, at, operatorId, operatorName, text };
}
