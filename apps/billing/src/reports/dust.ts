import { formatMoney, money, type TokenCode, tokenCodes } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { codeSql } from '../token.js';
import type { Table } from './table.js';

/** A transfer that is too small to ask whose it is. It may bear an address that looks like one that you know. */
export const dustRow = z.object({
  at: z.string(),
  network: z.string(),
  from: z.string(),
  to: z.string(),
  amount: z.string(),
  /** What the amount is counted in. */
  asset: z.enum(tokenCodes),
  transaction: z.string(),
  sender: z.string(),
});

type DustView = z.infer<typeof dustRow>;

interface DustRow {
  readonly at: Date;
  readonly network: string;
  readonly from_address: string;
  readonly to_address: string;
  readonly value: string;
  readonly code: TokenCode;
  readonly transaction: string;
  readonly sender: string;
}

/** The dust of a month and the transfers of nothing, in and out: a token lets anybody move nothing in our name. */
export function dustTable(period: Period): Table<DustRow, DustView> {
  return {
    name: `dust-${formatMonth(period)}`,
    columns: Object.keys(dustRow.shape) as (keyof DustView)[],
    statement: {
      text: `
        select t.block_time as at, t.id, t.network, t.from_address, t.to_address, t.value::text as value,
          ${codeSql('t.asset')} as code, t.transaction, t.sender
        from billing.chain_transfer t
        where t.dust and t.orphaned_at is null and t.block_time >= $1 and t.block_time < $2
          and (t.value = 0 or t.to_address = t.pay_to)
          and not exists (
            select 1 from billing.payment p
            where (p.network, p.asset, p.payer, p.nonce) = (t.network, t.asset, t.authorizer, t.nonce))`,
      values: [period.start, period.end],
    },
    order: [
      { column: 'at', kind: 'time' },
      { column: 'id', kind: 'text' },
    ],
    view: (row) => ({
      at: row.at.toISOString(),
      network: row.network,
      from: row.from_address,
      to: row.to_address,
      amount: formatMoney(money(row.code, BigInt(row.value))),
      asset: row.code,
      transaction: row.transaction,
      sender: row.sender,
    }),
  };
}
