import type { CommandSpec } from '../command.js';
import { accounts } from './accounts.js';
import { adjustments } from './adjustments.js';
import { books } from './books.js';
import { cases } from './cases.js';
import { customers } from './customers.js';
import { doctor } from './doctor.js';
import { entries } from './entries.js';
import { exports } from './exports.js';
import { invoices } from './invoices.js';
import { keys } from './keys.js';
import { migrate } from './migrate.js';
import { months } from './months.js';
import { operators } from './operators.js';
import { payments } from './payments.js';
import { plans } from './plans.js';
import { receipts } from './receipts.js';
import { receivables } from './receivables.js';
import { refunds } from './refunds.js';
import { reports } from './reports.js';
import { runs } from './runs.js';
import { transfers } from './transfers.js';
import { wallets } from './wallets.js';

/** Every command, in the order of the help and of docs/cli.md. */
export const commands: readonly CommandSpec[] = [
  ...plans,
  ...accounts,
  ...keys,
  ...payments,
  ...refunds,
  ...receipts,
  ...operators,
  ...invoices,
  ...adjustments,
  ...customers,
  ...receivables,
  ...books,
  ...runs,
  ...cases,
  ...entries,
  ...months,
  ...transfers,
  ...wallets,
  ...reports,
  ...exports,
  ...doctor,
  ...migrate,
];

/** What the first words are about. */
export const groups: Readonly<Record<string, string>> = {
  plans: 'What customers agree on: units, prices, and what becomes of calls beyond them.',
  accounts: 'Customers under contract.',
  keys: 'API keys of accounts.',
  payments: 'x402 payments, and what became of each.',
  refunds: 'What is owed back to payers, and is paid when two operators say so.',
  receipts: 'Signed receipts of calls.',
  operators: 'Those who run the service.',
  audit: 'Who changed what.',
  invoices: 'What customers owe, by month.',
  adjustments: 'What is added to invoices, or taken from them.',
  customers: 'Who is invoiced.',
  contracts: 'Which customer each account is invoiced to, and at which prices.',
  'bank-payments': 'What came in at the bank, and what it pays.',
  reminders: 'Letters about what is overdue.',
  months: 'The months of the books, and their close.',
  runs: 'Reconciliations: asked for, under way, and ended.',
  transfers: 'Which transfers of USDC pay invoices.',
  wallets: 'The wallets that have a name, ours among them.',
  breaks: 'What the reconciliation found not to agree.',
  entries: 'Entries of the log that billing refused.',
};
