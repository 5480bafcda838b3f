import { timingSafeEqual } from 'node:crypto';
import { GroupCommit } from '@keyfare/db/group-commit';
import { asProblem, DatabaseUnavailable, type Sql } from '@keyfare/db/sql';
import { holderIdOf, type Operator, type OperatorScope, tokenHash } from './operator.js';

/** An operator, or a session of one, with what a token is compared with. */
export interface KnownOperator {
  /** Of the operator, or of the session. */
  readonly id: string;
  readonly operatorId: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  /** SHA-256 of the token. */
  readonly tokenHash: Buffer;
  readonly expiresAt: Date;
  /** Whether the password was given just now; of a session only. */
  readonly isConfirmed: boolean;
}

/**
 * Who was let in lately, kept elsewhere than the operators are: for a program whose own work goes on while their
 * database is away. It says itself for how long it can be believed.
 */
export interface OperatorMemory {
  /** Called for each operator that is let in by what the database says; nobody waits for it. */
  remember(operator: KnownOperator): Promise<void>;
  /** Those among the ids that can still be believed. Asked only while the database cannot be reached. */
  recall(ids: readonly string[]): Promise<readonly KnownOperator[]>;
}

interface OperatorRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly token_hash: Buffer;
  readonly expires_at: Date;
  readonly operator_id: string;
  readonly confirmed: boolean;
}

/** What is known of an id. `live`: the database says it, now. `error`: it did not answer, and nobody remembers. */
interface Found {
  readonly operator?: KnownOperator | undefined;
  readonly live: boolean;
  readonly error?: unknown;
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
  readonly #reads: GroupCommit<string, Found>;

  constructor(sql: Sql, memory?: OperatorMemory) {
    this.#sql = sql;
    this.#memory = memory;
    this.#reads = new GroupCommit({ write: (ids) => this.#read(ids), waitsInDoubt: false, maxWaiting });
  }

  /**
   * Null for a token that is nobody's, has run out or was revoked. 503 while too many wait, or the database is away and
   * the memory does not know the operator: then nobody can say whose it is.
   */
  async find(token: string): Promise<Operator | null> {
    const id = holderIdOf(token);
    if (id === null) return null;
    const { operator, live, error } = await this.#reads.commit(id);
    if (error !== undefined) throw asProblem(error);
    if (operator === undefined || !timingSafeEqual(tokenHash(token), operator.tokenHash)) return null;
    // A memory that is slow, or fails, keeps nobody out: it is there for another day.
    if (live) this.#memory?.remember(operator).catch(() => undefined);
    const { operatorId, name, scopes, isConfirmed } = operator;
    const session = id === operatorId ? undefined : { id, isConfirmed };
    return { id: operatorId, name, scopes, session };
  }

  async #read(ids: readonly string[]): Promise<readonly Found[]> {
    const distinct = [...new Set(ids)];
    try {
      const known = byId(await this.#ask(distinct));
      return ids.map((id) => ({ operator: known.get(id), live: true }));
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      const known = byId((await this.#memory?.recall(distinct).catch(() => [])) ?? []);
      return ids.map((id) => {
        const operator = known.get(id);
        return operator === undefined ? { live: false, error } : { operator, live: false };
      });
    }
  }

  async #ask(ids: readonly string[]): Promise<readonly KnownOperator[]> {
    const rows = await this.#sql.query<OperatorRow>({
      name: 'keyfare_find_operators',
      text: `select id, name, scopes, token_hash, expires_at, operator_id, confirmed from keyfare.operator_feed
        where id = any($1::text[])`,
      values: [ids],
    });
    return rows.map((row) => ({
      id: row.id,
      operatorId: row.operator_id,
      name: row.name,
      scopes: row.scopes,
      tokenHash: row.token_hash,
      expiresAt: row.expires_at,
      isConfirmed: row.confirmed,
    }));
  }
}

function byId(operators: readonly KnownOperator[]): ReadonlyMap<string, KnownOperator> {
  return new Map(operators.map((operator) => [operator.id, operator]));
}
