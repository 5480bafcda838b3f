import type { LedgerAssetCode } from '@keyfare/core/money';
import { bigints, bytes, rows, texts, times, uuids } from '@keyfare/db/rows';
import type { Sql } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { AccountType } from './chart.js';
import { assertMovements, digestOf, type Journal, type JournalKind, type Movement, reversalOf } from './journal.js';

/** A journal's id is taken by another content: a bug, or books that somebody has tampered with. */
export class JournalConflict extends Error {
  override readonly name = 'JournalConflict';
}

interface StoredMovement {
  readonly id: string;
  readonly kind: JournalKind;
  readonly source: string;
  readonly occurred_at: Date;
  readonly debit: string;
  readonly debit_type: AccountType;
  readonly credit: string;
  readonly credit_type: AccountType;
  readonly asset: LedgerAssetCode;
  readonly amount: string;
}

const journalRows = rows<Journal>({
  id: uuids((journal) => journal.id),
  kind: texts((journal) => journal.kind),
  source: texts((journal) => journal.source),
  occurred_at: times((journal) => journal.occurredAt),
  reverses: uuids((journal) => journal.reverses),
  movements: bigints((journal) => BigInt(journal.movements.length)),
  digest: bytes(digestOf),
});
const movementRows = rows<Movement & { readonly id: string; readonly line: number }>({
  journal_id: uuids((movement) => movement.id),
  line: bigints((movement) => BigInt(movement.line)),
  debit: texts((movement) => movement.debit.code),
  credit: texts((movement) => movement.credit.code),
  asset: texts((movement) => movement.debit.asset),
  amount: texts((movement) => movement.amount.toString()),
});
const insertJournals = `
  with added as (
    insert into billing.journal (id, kind, source, occurred_at, effective_at, reverses, movements, digest)
    select id, kind, source, occurred_at, greatest(occurred_at, (select billing.effective_at('-infinity'))), reverses,
      movements, digest
    from ${journalRows.source()}
    on conflict (id) do nothing returning id, effective_at),
  moved as (
    insert into billing.movement (journal_id, line, debit, credit, asset, amount, effective_at)
    select m.journal_id, m.line, m.debit, m.credit, m.asset, m.amount::numeric, added.effective_at
    from (select * from ${movementRows.source(1 + journalRows.size)}) as m join added on added.id = m.journal_id)
  select id from added`;

/** Writes journals. Whoever calls it holds the turn for the books, see `awaitBooks`. */
@Injectable()
export class LedgerService {
  /**
   * Writes the journals that are not there yet, within the caller's transaction; those that are there already are left
   * alone. Throws `JournalConflict` when one is there with another content, and `RangeError` when one moves nothing.
   * Each is dated when it happened, or into the first month after the last locked one; none can be locked meanwhile.
   */
  async post(tx: Sql, journals: readonly Journal[]): Promise<void> {
    if (journals.length === 0) return;
    for (const journal of journals) assertMovements(journal);
    await tx.query({ name: 'billing_hold_months', text: 'select billing.hold_months()' });
    await this.#openAccounts(tx, journals);
    const added = await this.#insert(tx, journals);
    if (added.size < journals.length) await this.#compare(tx, journals);
  }

  /** Undoes every journal of these sources that was not undone before, within the caller's transaction. */
  async reverse(tx: Sql, sources: readonly string[]): Promise<void> {
    const movements = await tx.query<StoredMovement>({
      text: `select j.id, j.kind, j.source, j.occurred_at, m.debit, d.type as debit_type, m.credit,
          c.type as credit_type, m.asset, m.amount
        from billing.journal j
        join billing.movement m on m.journal_id = j.id
        join billing.ledger_account d on d.code = m.debit
        join billing.ledger_account c on c.code = m.credit
        where j.source = any($1::text[]) and j.reverses is null
          and not exists (select 1 from billing.journal r where r.reverses = j.id)
        order by j.id, m.line`,
      values: [sources],
    });
    await this.post(tx, journalsFrom(movements).map(reversalOf));
  }

  async #openAccounts(tx: Sql, journals: readonly Journal[]): Promise<void> {
    const accounts = new Map(
      journals
        .flatMap(({ movements }) => movements.flatMap(({ debit, credit }) => [debit, credit]))
        .map((account) => [account.code, account] as const),
    );
    // In order, so that two writers cannot wait for one another.
    const list = [...accounts.values()].toSorted((a, b) => (a.code < b.code ? -1 : 1));
    await tx.query({
      name: 'billing_open_accounts',
      text: `insert into billing.ledger_account (code, asset, type)
        select * from unnest($1::text[], $2::text[], $3::text[]) on conflict (code) do nothing`,
      values: [list.map(({ code }) => code), list.map(({ asset }) => asset), list.map(({ type }) => type)],
    });
  }

  /** Journals and their movements, each with the date of its journal: the ids of those that were not there. */
  async #insert(tx: Sql, journals: readonly Journal[]): Promise<ReadonlySet<string>> {
    const lines = journals.flatMap(({ id, movements }) => movements.map((each, line) => ({ ...each, id, line })));
    const added = await tx.query<{ id: string }>({
      name: 'billing_insert_journals',
      text: insertJournals,
      values: [...journalRows.values(journals), ...movementRows.values(lines)],
    });
    return new Set(added.map(({ id }) => id));
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

function journalsFrom(stored: readonly StoredMovement[]): readonly Journal[] {
  const journals = new Map<string, Journal & { readonly movements: Movement[] }>();
  for (const { id, kind, source, occurred_at: occurredAt, asset, amount, ...sides } of stored) {
    const journal = journals.get(id) ?? { id, kind, source, occurredAt, reverses: null, movements: [] };
    journal.movements.push({
      debit: { code: sides.debit, asset, type: sides.debit_type },
      credit: { code: sides.credit, asset, type: sides.credit_type },
      amount: BigInt(amount),
    });
    journals.set(id, journal);
  }
  return [...journals.values()];
}
