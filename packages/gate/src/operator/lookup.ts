import { timingSafeEqual } from 'node:crypto';
import { GroupCommit } from '@keyfare/db/group-commit';
import type { Sql } from '@keyfare/db/sql';
import { type Operator, type OperatorScope, operatorIdOf, tokenHash } from './operator.js';

interface OperatorRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly token_hash: Buffer;
}

/** So many tokens may wait to be looked up; with more, the next is refused. */
const maxWaiting = 500;

/**
 * Whose token it is. Nothing is remembered, so an operator that was revoked is out at once; and however many tokens come,
 * true or made up, one statement at a time looks up all that wait.
 */
export class OperatorLookup {
  readonly #reads: GroupCommit<string, OperatorRow | undefined>;

  constructor(sql: Sql) {
    this.#reads = new GroupCommit({ write: (ids) => readOperators(sql, ids), waitsInDoubt: false, maxWaiting });
  }

  /** Null for a token that is nobody's, has run out or was revoked. 503 while too many wait, or the database is away. */
  async find(token: string): Promise<Operator | null> {
    const id = operatorIdOf(token);
    if (id === null) return null;
    const row = await this.#reads.commit(id);
    if (row === undefined || !timingSafeEqual(tokenHash(token), row.token_hash)) return null;
    return { id, name: row.name, scopes: row.scopes };
  }
}

async function readOperators(sql: Sql, ids: readonly string[]): Promise<readonly (OperatorRow | undefined)[]> {
  const rows = await sql.query<OperatorRow>({
    name: 'keyfare_find_operators',
    text: 'select id, name, scopes, token_hash from keyfare.operator_feed where id = any($1::text[])',
    values: [ids],
  });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id));
}
