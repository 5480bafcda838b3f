import { isConnectionLost, type Sql } from '@keyfare/db/sql';
import type { KnownOperator, OperatorMemory } from '@keyfare/gate/operators';
import { Logger } from '@nestjs/common';

/** So long an operator is let in by memory, without a word from the API's database. */
const trustedFor = '1 hour';
/** So often, at most, it is written that an operator was seen. */
const writtenEvery = '1 minute';
const writtenEveryMs = 60_000;
/** So often those are taken out who are operators no longer, while the API's database can be asked. */
const prunedEveryMs = 5_000;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: KnownOperator['scopes'];
  readonly token_hash: Buffer;
  readonly expires_at: Date;
  readonly operator_id: string;
}

/** The operators that were seen lately, in billing's own database: as of the last contact with the API's. */
export class KnownOperators implements OperatorMemory {
  readonly #logger = new Logger('Operators');
  readonly #own: Sql;
  readonly #api: Sql;
  /** When this process wrote of an operator last, in milliseconds of a monotonic clock. */
  readonly #writtenMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #pruning: Promise<void> | undefined;

  constructor({ own, api }: { readonly own: Sql; readonly api: Sql }) {
    this.#own = own;
    this.#api = api;
  }

  /** Begins to take out who is revoked. */
  start(): void {
    const prune = (): void => {
      this.#pruning ??= this.#prune().finally(() => {
        this.#pruning = undefined;
      });
    };
    prune();
    this.#timer = setInterval(prune, prunedEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pruning;
  }

  async remember({ id, operatorId, name, scopes, tokenHash, expiresAt }: KnownOperator): Promise<void> {
    const now = performance.now();
    const writtenMs = this.#writtenMs.get(id);
    if (writtenMs !== undefined && now - writtenMs < writtenEveryMs) return;
    this.#writtenMs.set(id, now);
    await this.#own.query({
      text: `insert into billing.known_operator as k (id, operator_id, name, scopes, token_hash, expires_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do update set name = excluded.name, scopes = excluded.scopes,
          token_hash = excluded.token_hash, expires_at = excluded.expires_at, seen_at = excluded.seen_at
        where k.seen_at < now() - interval '${writtenEvery}'`,
      values: [id, operatorId, name, scopes, tokenHash, expiresAt],
    });
  }

  async recall(ids: readonly string[]): Promise<readonly KnownOperator[]> {
    const rows = await this.#own.query<Row>({
      text: `select id, operator_id, name, scopes, token_hash, expires_at from billing.known_operator
        where id = any($1::text[]) and seen_at > now() - interval '${trustedFor}' and expires_at > now()`,
      values: [ids],
    });
    // Nobody can say whether the password was given just now: what is sensitive waits for the API.
    return rows.map((row) => ({
      id: row.id,
      operatorId: row.operator_id,
      name: row.name,
      scopes: row.scopes,
      tokenHash: row.token_hash,
      expiresAt: row.expires_at,
      isConfirmed: false,
    }));
  }

  /** Never rejects: what cannot be asked now is asked again. */
  async #prune(): Promise<void> {
    try {
      const kept = await this.#own.query<{ id: string }>({ text: 'select id from billing.known_operator' });
      if (kept.length === 0) return;
      const ids = kept.map(({ id }) => id);
      const good = await this.#api.query<{ id: string }>({
        text: 'select id from keyfare.operator_feed where id = any($1::text[])',
        values: [ids],
      });
      const still = new Set(good.map(({ id }) => id));
      const gone = ids.filter((id) => !still.has(id));
      if (gone.length === 0) return;
      for (const id of gone) this.#writtenMs.delete(id);
      const text = 'delete from billing.known_operator where id = any($1::text[])';
      await this.#own.query({ text, values: [gone] });
    } catch (error) {
      if (!isConnectionLost(error))
        this.#logger.warn({ err: error }, 'the operators that were seen could not be checked');
    }
  }
}
