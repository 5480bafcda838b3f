import type { Sql } from '@keyfare/db/sql';
import type { KnownOperator, OperatorMemory } from '@keyfare/gate/operators';

/** So long an operator is let in by memory, without a word from the API's database. */
const trustedFor = '1 hour';
/** So often, at most, it is written that an operator was seen. */
const writtenEvery = '1 minute';
const writtenEveryMs = 60_000;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: KnownOperator['scopes'];
  readonly token_hash: Buffer;
}

/** The operators that were seen lately, in billing's own database. */
export class KnownOperators implements OperatorMemory {
  readonly #sql: Sql;
  /** When this process wrote of an operator last, in milliseconds of a monotonic clock. */
  readonly #writtenMs = new Map<string, number>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async remember({ id, name, scopes, tokenHash }: KnownOperator): Promise<void> {
    const now = performance.now();
    const writtenMs = this.#writtenMs.get(id);
    if (writtenMs !== undefined && now - writtenMs < writtenEveryMs) return;
    this.#writtenMs.set(id, now);
    await this.#sql.query({
      text: `insert into billing.known_operator as k (id, name, scopes, token_hash) values ($1, $2, $3, $4)
        on conflict (id) do update set name = excluded.name, scopes = excluded.scopes,
          token_hash = excluded.token_hash, seen_at = excluded.seen_at
        where k.seen_at < now() - interval '${writtenEvery}'`,
      values: [id, name, scopes, tokenHash],
    });
  }

  async forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#writtenMs.delete(id);
    await this.#sql.query({
      text: 'delete from billing.known_operator where id = any($1::text[])',
      values: [ids],
    });
  }

  async recall(ids: readonly string[]): Promise<readonly KnownOperator[]> {
    const rows = await this.#sql.query<Row>({
      text: `select id, name, scopes, token_hash from billing.known_operator
        where id = any($1::text[]) and seen_at > now() - interval '${trustedFor}'`,
      values: [ids],
    });
    return rows.map(({ id, name, scopes, token_hash: tokenHash }) => ({ id, name, scopes, tokenHash }));
  }
}
