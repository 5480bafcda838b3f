import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';

/** So many keys are remembered between two writes; the uses of further ones are not told. */
const maxNoted = 100_000;
const batch = 5_000;
/** Ten thousand keys in use cost the database some two hundred rows a second then, and no call anything. */
const everyMs = 60_000;

/** When keys were last used: noted in memory, for a call waits for nothing of it, and written now and then. */
@Injectable()
export class KeyUses {
  readonly #usedAt = new Map<string, Date>();
  #wroteAtMs = performance.now();

  constructor(private readonly sql: SqlPool) {}

  note(keyId: string, at: Date): void {
    if (this.#usedAt.size < maxNoted || this.#usedAt.has(keyId)) this.#usedAt.set(keyId, at);
  }

  /** Writes what was noted, when it is time. */
  async tidy(): Promise<void> {
    if (performance.now() - this.#wroteAtMs >= everyMs) await this.write();
  }

  /** Writes what was noted. What could not be written is noted again, unless the key was used meanwhile. */
  async write(): Promise<void> {
    this.#wroteAtMs = performance.now();
    const noted = [...this.#usedAt].toSorted(([one], [other]) => (one < other ? -1 : 1));
    this.#usedAt.clear();
    for (let at = 0; at < noted.length; at += batch) {
      const part = noted.slice(at, at + batch);
      try {
        await this.#writePart(part);
      } catch (error) {
        for (const [keyId, usedAt] of noted.slice(at)) if (!this.#usedAt.has(keyId)) this.note(keyId, usedAt);
        throw error;
      }
    }
  }

  /** In the order of the ids, as every process writes: two of them never wait for each other. */
  async #writePart(part: readonly (readonly [keyId: string, at: Date])[]): Promise<void> {
    await this.sql.query({
      text: `insert into keyfare.key_use (key_id, last_used_at)
        select id, at from unnest($1::text[], $2::timestamptz[]) with ordinality as used (id, at, nth) order by nth
        on conflict (key_id) do update set last_used_at = greatest(key_use.last_used_at, excluded.last_used_at)`,
      values: [part.map(([keyId]) => keyId), part.map(([, at]) => at)],
    });
  }
}
