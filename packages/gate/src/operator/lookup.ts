import { timingSafeEqual } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { asProblem, type Sql } from '@keyfare/db/sql';
import { type Operator, type OperatorScope, operatorIdOf, tokenHash } from './operator.js';

interface OperatorRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly token_hash: Buffer;
}

interface Waiting {
  readonly id: string;
  readonly resolve: (row: OperatorRow | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** So many tokens may wait to be looked up; with more, the next is refused. */
const maxWaiting = 500;

/**
 * Whose token it is. Nothing is remembered, so an operator that was revoked is out at once; and however many tokens come,
 * true or made up, one statement at a time looks up all that wait.
 */
export class OperatorLookup {
  readonly #sql: Sql;
  #waiting: Waiting[] = [];
  #isReading = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Null for a token that is nobody's, has run out or was revoked. 503 while too many wait, or the database is away. */
  async find(token: string): Promise<Operator | null> {
    const id = operatorIdOf(token);
    if (id === null) return null;
    const row = await this.#read(id);
    if (row === undefined || !timingSafeEqual(tokenHash(token), row.token_hash)) return null;
    return { id, name: row.name, scopes: row.scopes };
  }

  async #read(id: string): Promise<OperatorRow | undefined> {
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
      try {
        const rows = await this.#sql.query<OperatorRow>({
          name: 'find-operators',
          text: 'select id, name, scopes, token_hash from keyfare.operator_feed where id = any($1::text[])',
          values: [[...new Set(group.map(({ id }) => id))]],
        });
        const byId = new Map(rows.map((row) => [row.id, row]));
        for (const { id, resolve } of group) resolve(byId.get(id));
      } catch (error) {
        for (const { reject } of group) reject(asProblem(error));
      }
    }
    this.#isReading = false;
  }
}
