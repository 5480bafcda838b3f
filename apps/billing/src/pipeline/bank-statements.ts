import { Problem } from '@keyfare/core/problem';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { bank, unidentifiedBank } from '../ledger/chart.js';
import { type Journal, journalOf } from '../ledger/journal.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { BankAccounts } from '../receivable/bank-accounts.js';
import { BankPayments, type NewPayment } from '../receivable/bank-payments.js';
import type { Encoding } from '../receivable/decode.js';
import { readStatement } from '../receivable/read-statement.js';
import { awaitBooks } from '../turns.js';
import { BankMatches } from './bank-matches.js';

/** What a bank statement brings that no statement before it had. */
export interface ReadStatement {
  readonly encoding: Encoding | null;
  /** How many lines it has, beside the header. */
  readonly lines: number;
  readonly added: readonly NewPayment[];
  /** How many of the new ones were matched at once, by the number of an invoice. */
  readonly matched: number;
}

/** Bank statements: read as a whole or not at all, and each of their payments stored and posted once. */
@Injectable()
export class BankStatements {
  constructor(
    private readonly sql: SqlPool,
    private readonly accounts: BankAccounts,
    private readonly payments: BankPayments,
    private readonly ledger: LedgerService,
    private readonly matches: BankMatches,
  ) {}

  /**
   * What `store` would do now; nothing is written. 404 `bank-account/not-found`; 422 `bank-statement/malformed` with
   * the faults by line.
   */
  async preview(bankAccountId: string, bytes: Uint8Array, sql: Sql = this.sql): Promise<ReadStatement> {
    const { mapping, currency } = await this.accounts.find(bankAccountId, sql);
    const { encoding, lines, faults } = readStatement(bytes, mapping, currency);
    if (faults.length > 0) {
      const [first] = faults;
      const detail = `Line ${first?.line ?? 0}: ${first?.fault ?? ''}`;
      throw new Problem('bank-statement/malformed', first?.line === 0 ? first.fault : detail, {
        extensions: { faults },
      });
    }
    return { encoding, lines: lines.length, added: await this.payments.unknown(sql, bankAccountId, lines), matched: 0 };
  }

  /** Stores and posts what is new, in the caller's transaction. Refuses as `preview`. */
  async store(
    tx: Sql,
    bankAccountId: string,
    { bytes, by }: { bytes: Uint8Array; by: string },
  ): Promise<ReadStatement> {
    // Of two imports at once the second must see what the first has stored.
    await awaitBooks(tx);
    const { currency } = await this.accounts.find(bankAccountId, tx);
    const read = await this.preview(bankAccountId, bytes, tx);
    if (read.added.length === 0) return read;
    await this.payments.add(tx, read.added, { bankAccountId, currency, by });
    await this.ledger.post(
      tx,
      read.added.flatMap((payment) => journalsOf(bankAccountId, payment)),
    );
    const ids = read.added.map(({ id }) => id);
    return { ...read, matched: await this.matches.matchByNumber(tx, ids) };
  }
}

/** A line of nothing, such as a note of the bank, moves nothing. */
function journalsOf(bankAccountId: string, { id, amount, bookedOn }: NewPayment): readonly Journal[] {
  if (amount === 0n) return [];
  const [debit, credit] =
    amount > 0n ? [bank(bankAccountId), unidentifiedBank()] : [unidentifiedBank(), bank(bankAccountId)];
  const occurredAt = new Date(`${bookedOn}T00:00:00Z`);
  const source = `bank-payment:${id}`;
  return [journalOf({ kind: 'bank', source, occurredAt, debit, credit, amount: amount > 0n ? amount : -amount })];
}
