import type { AssetCode, TokenCode } from '@keyfare/core/money';
import { z } from 'zod';
import type { Break } from '../reconcile/break-row.js';
import { breakView, viewBreak } from '../reconcile/break-view.js';
import type { Run } from '../reconcile/reconcile.service.js';
import { decimal, type ReconciliationReport, reconciliationReport, type WalletFigures } from '../reconcile/report.js';
import type { Cell, Table } from './table.js';

/** A run of the reconciliation, as it is answered. */
export const runView = z
  .object({
    id: z.string(),
    trigger: z.enum(['manual', 'schedule']),
    startedAt: z.iso.datetime(),
    finishedAt: z.iso.datetime(),
    /** Every entry that was committed by then was compared. */
    entriesAsOf: z.iso.datetime().nullable(),
    /** Everything that the chain showed by then was compared. */
    chainAsOf: z.iso.datetime().nullable(),
    /** SHA-256 of the report in canonical JSON: the same books give the same. */
    digest: z.string(),
    report: reconciliationReport,
    /** The breaks that are open now, the oldest first; at most a thousand. */
    breaks: z.array(breakView),
    /** Whether more are open than are listed: the CSV and `/breaks` have them all. */
    truncated: z.boolean(),
  })
  .meta({ id: 'Reconciliation' });

/** A run, and what is open. */
export interface RunWithBreaks {
  readonly run: Run;
  readonly breaks: readonly Break[];
  /** Whether more are open. */
  readonly truncated: boolean;
}

export function viewRun({ run, breaks, truncated }: RunWithBreaks, now: Date): z.infer<typeof runView> {
  return {
    id: run.id,
    trigger: run.trigger,
    startedAt: run.startedAt.toISOString(),
    finishedAt: run.finishedAt.toISOString(),
    entriesAsOf: run.entriesAsOf?.toISOString() ?? null,
    chainAsOf: run.chainAsOf?.toISOString() ?? null,
    digest: run.digest.toString('hex'),
    report: run.report,
    breaks: breaks.map((found) => viewBreak(found, now)),
    truncated,
  };
}

const runColumns = [
  'section',
  'item',
  'status',
  'asset',
  'count',
  'amount',
  'detail',
  'firstSeen',
  'owner',
  'id',
] as const;

interface BreakRow {
  readonly id: string;
  readonly class: string;
  readonly asset: AssetCode | null;
  readonly amount: string | null;
  readonly detail: string;
  readonly keys: object;
  readonly owner: string | null;
  readonly first_seen: Date;
}

/** The open breaks, in the columns of a run. */
export function openBreaksTable(): Table<BreakRow, Readonly<Record<(typeof runColumns)[number], Cell>>> {
  return {
    name: 'reconciliation',
    columns: runColumns,
    statement: {
      text: `select id, class, asset, amount, detail, keys, owner, first_seen from billing.break
        where status = 'open'`,
    },
    order: [
      { column: 'first_seen', kind: 'time' },
      { column: 'id', kind: 'text' },
    ],
    view: (row) => ({
      section: 'break',
      item: row.class,
      status: 'open',
      asset: row.asset,
      count: 1,
      amount: row.asset === null ? null : decimal(row.asset, row.amount),
      detail: `${row.detail} ${JSON.stringify(row.keys)}`,
      firstSeen: row.first_seen.toISOString(),
      owner: row.owner,
      id: row.id,
    }),
  };
}

type RunRow = Readonly<Partial<Record<(typeof runColumns)[number], Cell>>>;

function walletRows(asset: TokenCode, figures: WalletFigures): readonly RunRow[] {
  const items = ['opening', 'in', 'out', 'explained', 'balance'] as const;
  return items.map((item) => ({
    section: 'chain',
    item,
    asset,
    amount: figures[item],
    detail: figures.wallet,
  }));
}

function tokenRows(
  asset: TokenCode,
  { payments, unpaid, refundsDue }: Pick<ReconciliationReport, 'payments' | 'unpaid' | 'refundsDue'>,
): readonly RunRow[] {
  return [
    ...payments.flatMap(({ status, count, recorded, settled }) => [
      { section: 'payments', item: 'recorded', status, asset, count, amount: recorded },
      { section: 'payments', item: 'settled', status, asset, count, amount: settled },
    ]),
    { section: 'payments', item: 'unpaid', asset, count: unpaid.count, amount: unpaid.amount },
    { section: 'payments', item: 'refunds due', asset, count: refundsDue.count, amount: refundsDue.amount },
  ];
}

/** A run as rows: its figures, without the breaks. */
export function runRows({ report }: Run): readonly RunRow[] {
  const { entries, calls, chain, otherTokens = [], ledger } = report;
  return [
    { section: 'entries', item: 'good', status: entries.complete ? 'complete' : 'incomplete', count: entries.good },
    { section: 'entries', item: 'bad', status: entries.complete ? 'complete' : 'incomplete', count: entries.bad },
    ...calls.map(({ rail, count, asset, amount, units }) => {
      return { section: 'calls', item: rail, asset, count, amount, detail: `${units} units` };
    }),
    ...tokenRows('USDC', report),
    { section: 'chain', item: 'block', status: chain.state, detail: chain.block },
    ...[chain, ...chain.earlier].flatMap((wallet) => walletRows('USDC', wallet)),
    ...otherTokens.flatMap((token) =>
      tokenRows(token.asset, token).concat(token.wallets.flatMap((wallet) => walletRows(token.asset, wallet))),
    ),
    ...ledger.map(({ asset, type, balance }) => {
      const credit = balance.startsWith('-');
      return {
        section: 'ledger',
        item: type,
        status: credit ? 'credit' : 'debit',
        asset,
        amount: credit ? balance.slice(1) : balance,
      };
    }),
  ];
}
