import { assetCodes, formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import type { Break } from './break-row.js';
import { sourceOf } from './break-view.js';
import type { BreakCommentEntity, BreakEventEntity } from './case.entity.js';

const operator = z.object({ id: z.string(), name: z.string() });

export const commentView = z
  .object({ id: z.string(), at: z.iso.datetime(), operator, text: z.string() })
  .meta({ id: 'BreakComment' });

export const eventView = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    what: z.enum(['resolved', 'reopened', 'proposed', 'rejected', 'undone']),
    /** Null for what a reconciliation did. */
    operator: operator.nullable(),
    asset: z.enum(assetCodes).nullable(),
    /** The difference, as it was then. */
    amount: z.string().nullable(),
    side: z.string(),
    detail: z.string(),
    text: z.string().nullable(),
  })
  .meta({ id: 'BreakEvent' });

export const evidenceView = z
  .object({
    items: z.array(
      z.object({
        kind: z.enum(['entry', 'receipt', 'transaction', 'journal', 'invoice', 'account', 'wallet']),
        /** Its id, hash, source or address. */
        id: z.string(),
        /** The chain of a transaction or wallet (CAIP-2). */
        network: z.string().nullable(),
        /** Where it is answered: a receipt by the API, all else by this program; null where neither does. */
        path: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'BreakEvidence' });

type Evidence = z.infer<typeof evidenceView>['items'][number];

export function viewComment({
  id,
  at,
  operatorId,
  operatorName,
  text,
}: BreakCommentEntity): z.infer<typeof commentView> {
  return { id: id.toString(), at: at.toISOString(), operator: { id: operatorId, name: operatorName }, text };
}

export function viewEvent(event: BreakEventEntity): z.infer<typeof eventView> {
  const { id, at, what, operatorId, operatorName, asset, amount, side, detail, text } = event;
  return {
    id: id.toString(),
    at: at.toISOString(),
    what,
    operator: operatorId === null || operatorName === null ? null : { id: operatorId, name: operatorName },
    asset,
    amount: asset === null || amount === null ? null : formatMoney(money(asset, amount)),
    side,
    detail,
    text,
  };
}

/** What the keys of a break name. */
export function evidenceOf({ id, keys, live }: Break): Evidence[] {
  const network = keys['network'] ?? null;
  const of = (kind: Evidence['kind'], named: string | undefined, path: string | null = null): Evidence[] =>
    named === undefined
      ? []
      : [{ kind, id: named, network: kind === 'transaction' || kind === 'wallet' ? network : null, path }];
  const entries = [keys['entry'], keys['first']].filter((entry) => entry !== undefined);
  const invoice = keys['invoice'];
  return [
    ...entries.flatMap((entry) =>
      of('entry', entry, `/entries/${entry}`).concat(of('receipt', entry, `/receipts/${entry}`)),
    ),
    ...of('transaction', keys['transaction']),
    ...of('journal', keys['source'] ?? (keys['entry'] === undefined ? undefined : `call:${keys['entry']}`)),
    ...(live === null || live.debit === null ? [] : of('journal', sourceOf(id, live.nth))),
    ...(invoice === undefined ? [] : of('invoice', invoice, `/invoices/${encodeURIComponent(invoice)}`)),
    ...of('account', keys['account'], keys['account'] === undefined ? null : `/invoices?account=${keys['account']}`),
    ...of('wallet', keys['payer'] ?? keys['from']),
  ];
}
