import { timingSafeEqual } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { asProblem, DatabaseUnavailable, type Sql } from '@keyfare/db/sql';
import { type Operator, type OperatorScope, operatorIdOf, tokenHash } from './operator.js';

/** An operator with what a token is compared with. */
export interface KnownOperator extends Operator {
  /** SHA-256 of the token. */
  readonly tokenHash: Buffer;
}

/**
 * Who was let in lately, kept elsewhere than the operators are: for a program whose own work goes on while their database
 * is away. It says itself for how long it can be believed.
 */
export interface OperatorMemory {
  /** Called for each operator that is let in by what the database says. What it rejects with is left aside. */
  remember(operator: KnownOperator): Promise<void>;
  /** Called with ids that the database does not know, or no longer: they are not to be recalled. As `remember`. */
  forget(ids: readonly string[]): Promise<void>;
  /** Those among the ids that can still be believed. Asked only while the database cannot be reached. */
  recall(ids: readonly string[]): Promise<readonly KnownOperator[]>;
}

interface OperatorRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly token_hash: Buffer;
}

/** What is known of an id. `live`: the database says it, now. */
interface Found {
  readonly operator: KnownOperator | undefined;
  readonly live: boolean;
}

interface Waiting {
  readonly id: string;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: unknown) => void;
}

/** So many tokens may wait to be looked up; with more, the next is refused. */
const maxWaiting = 500;

/**
 * Whose token it is. Nothing is remembered while the database can be reached, so an operator that was revoked is out at
 * once; and however many tokens come, true or made up, one statement at a time looks up all that wait. With a memory,
 * those whom it recalls are let in while the database is away.
 */
export class OperatorLookup {
  readonly #sql: Sql;
  readonly #memory: OperatorMemory | undefined;
  #waiting: Waiting[] = [];
  #isReading = false;

  constructor(sql: Sql, memory?: OperatorMemory) {
    this.#sql = sql;
    this.#memory = memory;
  }

  /**
   * Null for a token that is nobody's, has run out or was revoked. 503 while too many wait, or the database is away and
   * the memory does not know the operator: then nobody can say whose it is.
   */
  async find(token: string): Promise<Operator | null> {
    const id = operatorIdOf(token);
    if (id === null) return null;
    const { operator, live } = await this.#read(id);
    if (operator === undefined || !timingSafeEqual(tokenHash(token), operator.tokenHash)) return null;
    // A memory that fails keeps nobody out: it is there for another day.
    if (live) await this.#memory?.remember(operator).catch(() => undefined);
    return { id, name: operator.name, scopes: operator.scopes };
  }

  async #read(id: string): Promise<Found> {
    if (this.#waiting.length >= maxWaiting) {
      throw new Problem('service/overloaded', undefined, { headers: { 'retry-after': '1' } });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, resolve, reject });
      if (!this.#isReading) void this.#readAll();
    });
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const ids = [...new Set(group.map(({ id }) => id))];
      try {
        const known = new Map((await this.#ask(ids)).map((operator) => [operator.id, operator]));
        const gone = ids.filter((id) => !known.has(id));
        if (gone.length > 0) await this.#memory?.forget(gone).catch(() => undefined);
        for (const { id, resolve } of group) resolve({ operator: known.get(id), live: true });
      } catch (error) {
        await this.#recall(group, { ids, error });
      }
    }
    this.#isReading = false;
  }

  async #ask(ids: readonly string[]): Promise<readonly KnownOperator[]> {
    const rows = await this.#sql.query<OperatorRow>({
      name: 'find-operators',
      text: 'select id, name, scopes, token_hash from keyfare.operator_feed where id = any($1::text[])',
      values: [ids],
    });
    return rows.map(({ id, name, scopes, token_hash: hash }) => ({ id, name, scopes, tokenHash: hash }));
  }

  /** Those who wait, when the database did not answer: by memory, or with the error. */
  async #recall(
    group: readonly Waiting[],
    { ids, error }: { readonly ids: readonly string[]; readonly error: unknown },
  ): Promise<void> {
    const away = error instanceof DatabaseUnavailable;
    const recalled = away ? ((await this.#memory?.recall(ids).catch(() => [])) ?? []) : [];
    const known = new Map(recalled.map((operator) => [operator.id, operator]));
    for (const { id, resolve, reject } of group) {
      const operator = known.get(id);
      if (operator === undefined) reject(asProblem(error));
      else resolve({ operator, live: false });
    }
  }
}
