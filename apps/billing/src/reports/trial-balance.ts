import { type AssetCode, formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import type { Table } from './table.js';

/** The balance of one account, on the side it is on. */
export const trialBalanceRow = z.object({
  account: z.string(),
  type: z.enum(['asset', 'liability', 'equity', 'income', 'expense']),
  asset: z.enum(['USD', 'USDC']),
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

/** Every account with its balance. Debits and credits of an asset are equal, or the books are wrong. */
export function trialBalanceTable(): Table<TrialBalanceRow, TrialBalanceView> {
  return {
    name: 'trial-balance',
    columns: Object.keys(trialBalanceRow.shape) as (keyof TrialBalanceView)[],
    statement: {
      text: `
        select a.code as account, a.type, a.asset, coalesce(sum(p.amount), 0)::text as balance
        from billing.ledger_account a left join billing.posting p on p.account = a.code
        group by a.code order by a.asset, a.code`,
    },
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
