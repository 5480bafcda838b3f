import { type AssetCode, assetCodes, formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import type { Table } from './table.js';

/** The balance of one account, on the side it is on. */
export const trialBalanceRow = z.object({
  account: z.string(),
  type: z.enum(['asset', 'liability', 'equity', 'income', 'expense']),
  asset: z.enum(assetCodes),
  debit: z.string(),
  credit: z.string(),
});

type TrialBalanceView = z.infer<typeof trialBalanceRow>;

interface TrialBalanceRow {
  readonly account: string;
  readonly type: TrialBalanceView['type'];
  readonly asset: AssetCode;
  readonly balance: string;
}

/**
 * Every account with its balance, at the end of the month where one is given, else of all that is booked. Debits and
 * credits of an asset are equal, or the books are wrong.
 */
export function trialBalanceTable(period: Period | null): Table<TrialBalanceRow, TrialBalanceView> {
  return {
    name: period === null ? 'trial-balance' : `trial-balance-${formatMonth(period)}`,
    columns: Object.keys(trialBalanceRow.shape) as (keyof TrialBalanceView)[],
    statement: {
      text: `
        select a.code as account, a.type, a.asset, coalesce(sum(p.amount), 0)::text as balance
        from billing.ledger_account a left join (
          select p.account, p.amount from billing.posting p join billing.journal j on j.id = p.journal_id
          where $1::timestamptz is null or j.occurred_at < $1) as p on p.account = a.code
        group by a.code`,
      values: [period?.end ?? null],
    },
    order: [
      { column: 'asset', kind: 'text' },
      { column: 'account', kind: 'text' },
    ],
    view: ({ account, type, asset, balance }) => {
      const amount = BigInt(balance);
      return {
        account,
        type,
        asset,
        debit: formatMoney(money(asset, amount > 0n ? amount : 0n)),
        credit: formatMoney(money(asset, amount < 0n ? -amount : 0n)),
      };
    },
  };
}
