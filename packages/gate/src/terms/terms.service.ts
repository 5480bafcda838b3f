import type { TermsRecord } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import { asProblem, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { VersionedCache } from '../versioned-cache.js';
import { readTerms, type VersionedTerms } from './terms-record.js';

/** Answers what an account has agreed, from memory while changes are heard. */
@Injectable()
export class TermsService {
  readonly cache: VersionedCache<VersionedTerms>;

  constructor(config: GateConfig, sql: SqlPool) {
    this.cache = new VersionedCache({
      read: (id) => readTerms(sql, id),
      nowMs: () => performance.now(),
      maxAgeMs: config.keyCacheMaxAgeMs,
      maxValues: 100_000,
    });
  }

  /** The terms in force: at once when they are remembered. Rejects with 404 `account/not-found`, or 503. */
  of(accountId: string): TermsRecord | Promise<TermsRecord> {
    return this.cache.peek(accountId) ?? this.#read(accountId);
  }

  async #read(accountId: string): Promise<TermsRecord> {
    const terms = await this.cache.read(accountId).catch((error: unknown) => {
      throw asProblem(error);
    });
    if (terms === undefined) throw new Problem('account/not-found');
    return terms;
  }
}
