import type { AssetCode } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { AccountType } from './chart.js';
import { assertBalanced, digestOf, type Journal, type JournalKind, type Posting, reversalOf } from './journal.js';

/** A journal's id is taken by another content: a bug, or books that somebody has tampered with. */
export class JournalConflict extends Error {
  override readonly name = 'JournalConflict';
}

interface StoredLine {
  readonly id: string;
  readonly kind: JournalKind;
  readonly source: string;
  readonly occurred_at: Date;
  readonly account: string;
  readonly asset: AssetCode;
  readonly type: AccountType;
  readonly amount: string;
}

/** Writes journals. Whoever calls it holds the turn for the books, see `awaitBooks`. */
@Injectable()
export class LedgerService {
  /**
   * Writes the journals that are not there yet, within the caller's transaction; those that are there already are left
   * alone. Throws `JournalConflict` when one is there with another content, and `RangeError` when one does not balance.
   */
  async post(tx: Sql, journals: readonly Journal[]): Promise<void> {
    if (journals.length === 0) return;
    for (const journal of journals) assertBalanced(journal);
    await this.#openAccounts(tx, journals);
    const added = await this.#insertJournals(tx, journals);
    const fresh = journals.filter(({ id }) => added.has(id));
    await this.#insertPostings(tx, fresh);
    if (fresh.length < journals.length) await this.#compare(tx, journals);
  }

  /** Undoes every journal of these sources that was not undone before, within the caller's transaction. */
  async reverse(tx: Sql, sources: readonly string[]): Promise<void> {
    const lines = await tx.query<StoredLine>({
      text: `select j.id, j.kind, j.source, j.occurred_at, p.account, p.asset, a.type, p.amount
        from billing.journal j
        join billing.posting p on p.journal_id = j.id
        join billing.ledger_account a on a.code = p.account
        where j.source = any($1::text[]) and j.reverses is null
          and not exists (select 1 from billing.journal r where r.reverses = j.id)
        order by j.id, p.line`,
      values: [sources],
    });
    await this.post(tx, journalsFrom(lines).map(reversalOf));
  }

  async #openAccounts(tx: Sql, journals: readonly Journal[]): Promise<void> {
    const accounts = new Map(
      journals.flatMap(({ postings }) => postings.map(({ account }) => [account.code, account] as const)),
    );
    const list = [...accounts.values()];
    await tx.query({
      name: 'billing_open_accounts',
      text: `insert into billing.ledger_account (code, asset, type)
        select * from unnest($1::text[], $2::text[], $3::text[]) on conflict (code) do nothing`,
      values: [list.map(({ code }) => code), list.map(({ asset }) => asset), list.map(({ type }) => type)],
    });
  }

  async #insertJournals(tx: Sql, journals: readonly Journal[]): Promise<ReadonlySet<string>> {
    const added = await tx.query<{ id: string }>({
      name: 'billing_insert_journals',
      text: `insert into billing.journal (id, kind, source, occurred_at, reverses, lines, digest)
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::int[], $7::bytea[])
        on conflict (id) do nothing returning id`,
      values: [
        journals.map(({ id }) => id),
        journals.map(({ kind }) => kind),
        journals.map(({ source }) => source),
        journals.map(({ occurredAt }) => occurredAt.toISOString()),
        journals.map(({ reverses }) => reverses),
        journals.map(({ postings }) => postings.length),
        journals.map(digestOf),
      ],
    });
    return new Set(added.map(({ id }) => id));
  }

  async #insertPostings(tx: Sql, journals: readonly Journal[]): Promise<void> {
    const lines = journals.flatMap(({ id, postings }) =>
      postings.map(({ account, amount }, line) => ({ id, line, account, amount })),
    );
    if (lines.length === 0) return;
    await tx.query({
      name: 'billing_insert_postings',
      text: `insert into billing.posting (journal_id, line, account, asset, amount)
        select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::numeric[])`,
      values: [
        lines.map(({ id }) => id),
        lines.map(({ line }) => line),
        lines.map(({ account }) => account.code),
        lines.map(({ account }) => account.asset),
        lines.map(({ amount }) => amount.toString()),
      ],
    });
  }

  /** An id that is there must mean the same journal. */
  async #compare(tx: Sql, journals: readonly Journal[]): Promise<void> {
    const stored = await tx.query<{ id: string; digest: Buffer }>({
      text: 'select id, digest from billing.journal where id = any($1::uuid[])',
      values: [journals.map(({ id }) => id)],
    });
    const digests = new Map(stored.map(({ id, digest }) => [id, digest]));
    for (const journal of journals) {
      if (digests.get(journal.id)?.equals(digestOf(journal)) === true) continue;
      throw new JournalConflict(`journal ${journal.id} of ${journal.source} is there with another content`);
    }
  }
}

function journalsFrom(lines: readonly StoredLine[]): readonly Journal[] {
  const journals = new Map<string, Journal & { readonly postings: Posting[] }>();
  for (const { id, kind, source, occurred_at: occurredAt, account, asset, type, amount } of lines) {
    const journal = journals.get(id) ?? { id, kind, source, occurredAt, reverses: null, postings: [] };
    journal.postings.push({ account: { code: account, asset, type }, amount: BigInt(amount) });
    journals.set(id, journal);
  }
  return [...journals.values()];
}
