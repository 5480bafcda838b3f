import { formatMoney, type LedgerAssetCode, ledgerAssetCodes, money } from '@keyfare/core/money';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { type Part, partOf, type Table } from './table.js';

/** The balance of one account, on the side it is on. */
export const trialBalanceRow = z.object({
  account: z.string(),
  type: z.enum(['asset', 'liability', 'equity', 'income', 'expense']),
  asset: z.enum(ledgerAssetCodes),
  debit: z.string(),
  credit: z.string(),
});

type TrialBalanceView = z.infer<typeof trialBalanceRow>;

interface TrialBalanceRow {
  readonly account: string;
  readonly type: TrialBalanceView['type'];
  readonly asset: LedgerAssetCode;
  readonly balance: string;
}

/**
 * Every account that has a balance, and it: at `end`, a midnight (UTC) that is not part of it, or of all that is
 * booked. Debits and credits of an asset are equal, or the books are wrong.
 */
export function trialBalanceTable(end: Date | null): Table<TrialBalanceRow, TrialBalanceView> {
  const day = end === null ? '' : `-${new Date(end.getTime() - 1).toISOString().slice(0, 10)}`;
  return {
    name: `trial-balance${day}`,
    columns: Object.keys(trialBalanceRow.shape) as (keyof TrialBalanceView)[],
    amounts: ['debit', 'credit'],
    statement: {
      text: `
        select a.code as account, a.type, a.asset, l.amount::text as balance
        from billing.ledger_account a join (${end === null ? totals : totalsBefore}) as l on l.account = a.code
        where l.amount <> 0`,
      values: end === null ? [] : [end],
    },
    part: (part) => balancesOfPart(end, part),
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

const totals = 'select account, debits - credits as amount from billing.balance';
const totalsBefore = `
  select account, sum(debits - credits) as amount from billing.balance_day
  where day < ($1::timestamptz at time zone 'utc')::date group by account`;

/** Accounts in order, the days of each summed until there are enough. */
function balancesOfPart(end: Date | null, part: Part): Statement {
  const { where, values } = partOf(part, { keys: 'asset, code', first: end === null ? 1 : 2 });
  const ofAccount =
    end === null
      ? 'select debits - credits as amount from billing.balance where account = a.code'
      : `select sum(debits - credits) as amount from billing.balance_day
        where account = a.code and day < ($1::timestamptz at time zone 'utc')::date`;
  return {
    text: `
      select a.code as account, a.type, a.asset, l.amount::text as balance
      from (select code, type, asset from billing.ledger_account where true ${where} order by asset, code) as a,
        lateral (${ofAccount}) as l
      where l.amount <> 0
      order by a.asset, a.code limit ${part.limit}`,
    values: [...(end === null ? [] : [end]), ...values],
  };
}
