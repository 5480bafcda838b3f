import type { Sql } from '@keyfare/db/sql';
import type { AccountsReading } from '../accounts-reading.js';
import type { BalanceReading } from './checks/balance.sql.js';
import type { ReconciliationReport } from './report.js';
import type { Progress, RunScope, RunTrigger } from './run-store.js';

/** What was learned outside of the books before a run. */
export interface RunInput {
  readonly id: string;
  readonly scope: RunScope;
  readonly trigger: RunTrigger;
  readonly startedAt: Date;
  /** Whether every entry that was there at the start has been read. */
  readonly entriesComplete: boolean;
  /**
   * Null when they could not be read, or when not every entry before them has been read: then they are not compared.
   */
  readonly accounts: AccountsReading | null;
  readonly chainState: ReconciliationReport['chain']['state'];
  /** Of the wallets of which a node could tell. */
  readonly balances: readonly BalanceReading[];
  /** Called as the run goes on; it rejects to have the run end, of which then nothing is kept. */
  readonly onProgress: (progress: Progress) => Promise<void>;
  /** The first in the transaction that writes what was found; it rejects as `onProgress`. */
  readonly onWrite: (tx: Sql) => Promise<void>;
}
