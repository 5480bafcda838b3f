import { Problem } from '@keyfare/core/problem';
import { GroupCommit } from '@keyfare/db/group-commit';
import { asProblem } from '@keyfare/db/sql';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ListPool } from '../list-pool.js';
import type { PriceTerms } from '../price-terms.js';

/** A price that is or was on offer. */
export interface RecordedPrice {
  readonly id: string;
  readonly sku: string;
  /** JSON, as it was recorded. */
  readonly terms: string;
  readonly firstSeenAt: Date;
}

/** So many prices of one product are listed, the newest. Each is found by its id for ever. */
const mostListed = 100;

const skuShape = /^[a-z0-9][a-z0-9._:-]{0,63}$/;

interface Row {
  readonly id: string;
  readonly sku: string;
  readonly terms: string;
  readonly first_seen_at: Date;
}

/** Remembers every price that was on offer. */
@Injectable()
export class PriceService implements OnModuleDestroy {
  readonly #finds: GroupCommit<string, RecordedPrice | undefined>;
  readonly #histories: GroupCommit<string, readonly RecordedPrice[]>;

  /**
   * Anybody may ask: whatever comes while a statement is under way goes in the next one, so that it takes one
   * connection each.
   */
  constructor(private readonly sql: ListPool) {
    const bounds = { waitsInDoubt: false, maxWaiting: 1_000 };
    this.#finds = new GroupCommit({ ...bounds, write: (ids) => this.#find(ids) });
    this.#histories = new GroupCommit({ ...bounds, write: (skus) => this.#history(skus) });
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.#finds.close(), this.#histories.close()]);
  }

  /** Records those that are new; the first process to do so gives the date. Answers when each was first on offer. */
  async record(prices: readonly PriceTerms[]): Promise<ReadonlyMap<string, Date>> {
    const first = await this.#record(prices);
    // A row that another process adds at this moment is neither added here nor seen by the same statement.
    return prices.every(({ id }) => first.has(id)) ? first : this.#record(prices);
  }

  async #record(prices: readonly PriceTerms[]): Promise<ReadonlyMap<string, Date>> {
    const ids = prices.map(({ id }) => id);
    const rows = await this.#query(
      `with added as (
        insert into keyfare.price (id, sku, terms)
        select distinct on (id) id, sku, terms from unnest($1::text[], $2::text[], $3::text[]) given (id, sku, terms)
        order by id
        on conflict do nothing
        returning id, sku, terms, first_seen_at)
      select * from added union all
      select id, sku, terms, first_seen_at from keyfare.price where id = any($1) and id not in (select id from added)`,
      [ids, prices.map(({ sku }) => sku), prices.map(({ text }) => text)],
    );
    return new Map(rows.map(({ id, firstSeenAt }) => [id, firstSeenAt]));
  }

  /** Throws 404 `request/not-found` for an id that was never on offer. */
  async find(id: string): Promise<RecordedPrice> {
    const found = /^price_[0-9a-f]{32}$/.test(id) ? await this.#finds.commit(id) : undefined;
    if (found === undefined) throw new Problem('request/not-found');
    return found;
  }

  /** The prices that a product has had, the newest first. */
  async history(sku: string): Promise<readonly RecordedPrice[]> {
    return skuShape.test(sku) ? this.#histories.commit(sku) : [];
  }

  async #find(ids: readonly string[]): Promise<readonly (RecordedPrice | undefined)[]> {
    const text = 'select id, sku, terms, first_seen_at from keyfare.price where id = any($1)';
    const byId = new Map((await this.#query(text, [ids])).map((price) => [price.id, price]));
    return ids.map((id) => byId.get(id));
  }

  async #history(skus: readonly string[]): Promise<readonly (readonly RecordedPrice[])[]> {
    const text = `select own.id, own.sku, own.terms, own.first_seen_at
      from (select distinct unnest($1::text[]) as sku) asked cross join lateral (
        select * from keyfare.price p where p.sku = asked.sku order by first_seen_at desc, id limit ${mostListed}) own
      order by own.first_seen_at desc, own.id`;
    const rows = await this.#query(text, [skus]);
    return skus.map((sku) => rows.filter((row) => row.sku === sku));
  }

  async #query(text: string, values: readonly unknown[]): Promise<readonly RecordedPrice[]> {
    const rows = await this.sql.query<Row>({ text, values: [...values] }).catch((error: unknown) => {
      throw asProblem(error);
    });
    return rows.map(({ id, sku, terms, first_seen_at: firstSeenAt }) => ({ id, sku, terms, firstSeenAt }));
  }
}
