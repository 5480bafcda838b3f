import { assetCodes, formatMoney, ledgerAssetCodes, money } from '@keyfare/core/money';
import { formatMonth, monthOf } from '@keyfare/core/time';
import { z } from 'zod';
import { findCode } from '../token.js';
import type { EntryStory, MatchRow, MovementRow, PaymentRow } from './entry-story.js';

const time = z.iso.datetime();
const outcomes = ['settled', 'deferred', 'refund-due', 'settlement', 'reversed', 'unpaid'] as const;

const matchView = z.object({
  id: z.string(),
  /** What found it. */
  rule: z.string(),
  /** `final` when the block is; `undone` for one that is no longer true. */
  state: z.enum(['provisional', 'final', 'undone']),
  asset: z.enum(assetCodes),
  amount: z.string(),
  matchedAt: time,
  transfer: z.object({
    id: z.string(),
    network: z.string(),
    transaction: z.string(),
    block: z.string(),
    blockHash: z.string(),
    blockTime: time,
    logIndex: z.int(),
    amount: z.string(),
  }),
});

const journalView = z.object({
  id: z.string(),
  kind: z.string(),
  source: z.string(),
  occurredAt: time,
  /** Its date in the books: never in a month that was locked before it was booked. */
  effectiveAt: time,
  bookedAt: time,
  /** The journal that it undoes. */
  reverses: z.string().nullable(),
  movements: z.array(
    z.object({ debit: z.string(), credit: z.string(), asset: z.enum(ledgerAssetCodes), amount: z.string() }),
  ),
});

/** One entry, as it is answered. Amounts are decimals, such as `0.001000`. */
export const entryView = z
  .object({
    id: z.string(),
    place: z.string().meta({ description: 'In the order of the log.' }),
    kind: z.string(),
    rail: z.string().nullable().meta({ description: 'Of a call; null for another entry.' }),
    principal: z.string(),
    account: z.object({ id: z.string(), name: z.string().nullable() }).nullable(),
    occurredAt: time,
    recordedAt: time.meta({ description: 'When the API wrote it.' }),
    readAt: time.meta({ description: 'When billing read it.' }),
    receipt: z
      .string()
      .nullable()
      .meta({ description: 'The signed text, as it is stored: of a call its receipt. Null where there is none.' }),
    keyId: z.string().nullable().meta({ description: 'Of the key that signed, as the signed text has it.' }),
    refused: z
      .object({ fault: z.string(), detail: z.string().nullable() })
      .nullable()
      .meta({ description: 'Why nothing of it is in the books; null where it is.' }),
    charge: z
      .object({
        sku: z.string(),
        units: z.string(),
        included: z.string(),
        overage: z.string(),
        unitPrice: z.string().nullable(),
        asset: z.enum(assetCodes),
        amount: z.string(),
        month: z.string(),
      })
      .nullable(),
    payment: z
      .object({
        network: z.string(),
        token: z.string().meta({ description: 'The contract.' }),
        payer: z.string(),
        nonce: z.string(),
        payTo: z.string(),
        asset: z.enum(assetCodes).nullable(),
        amount: z.string(),
        resourceUrl: z.string().nullable(),
        /** What each entry says of it, in the order of the log; this one is among them. */
        entries: z.array(
          z.object({
            id: z.string(),
            place: z.string(),
            outcome: z.enum(outcomes),
            transaction: z.string().nullable(),
            reason: z.string().nullable(),
            at: time,
          }),
        ),
      })
      .nullable(),
    matches: z.array(matchView),
    journals: z.array(journalView),
    invoice: z
      .object({ id: z.string(), number: z.string().nullable(), state: z.string(), month: z.string() })
      .nullable()
      .meta({ description: 'Whose it is; null on other rails, and before one was drawn up.' }),
    breaks: z
      .array(
        z.object({
          id: z.string(),
          class: z.string(),
          asset: z.enum(assetCodes).nullable(),
          amount: z.string().nullable(),
          side: z.string(),
          detail: z.string(),
          firstSeen: time,
        }),
      )
      .meta({ description: 'Those that are open and name it, its payment or one of its journals.' }),
  })
  .meta({ id: 'Entry' });

type View = z.infer<typeof entryView>;

export function viewEntry({ entry, charge, payment, life, matches, movements, invoice, breaks }: EntryStory): View {
  const { account, fault } = entry;
  return {
    id: entry.id,
    place: entry.place,
    kind: entry.kind,
    rail: entry.usage_rail,
    principal: entry.principal,
    account: account === null ? null : { id: account, name: entry.account_name },
    occurredAt: (entry.usage_occurred_at ?? payment?.issued_at ?? entry.recorded_at).toISOString(),
    recordedAt: entry.recorded_at.toISOString(),
    readAt: entry.ingested_at.toISOString(),
    receipt: entry.jws,
    keyId: entry.jws === null ? null : keyIdOf(entry.jws),
    refused: fault === null ? null : { fault, detail: entry.fault_detail },
    charge:
      charge === undefined
        ? null
        : {
            sku: charge.sku,
            units: charge.units,
            included: charge.included,
            overage: charge.overage,
            unitPrice: charge.unit_price === null ? null : formatMoney(money('USD', BigInt(charge.unit_price))),
            asset: charge.asset,
            amount: formatMoney(money(charge.asset, BigInt(charge.amount))),
            month: formatMonth(monthOf(charge.period_start)),
          },
    payment: payment === undefined ? null : viewPayment(payment, life),
    matches: matches.map(viewMatch),
    journals: viewJournals(movements),
    invoice:
      invoice === undefined
        ? null
        : {
            id: invoice.id,
            number: invoice.number,
            state: invoice.state,
            month: invoice.month,
          },
    breaks: breaks.map(({ id, class: name, asset, amount, side, detail, first_seen }) => ({
      id,
      class: name,
      asset,
      amount: asset === null || amount === null ? null : formatMoney(money(asset, BigInt(amount))),
      side,
      detail,
      firstSeen: first_seen.toISOString(),
    })),
  };
}

/** The amount is in the token's smallest unit where the token is not known. */
function viewPayment(payment: PaymentRow, life: readonly PaymentRow[]): View['payment'] {
  const { network, asset: token, payer, nonce, amount } = payment;
  const asset = findCode({ network, asset: token });
  return {
    network,
    token,
    payer,
    nonce,
    payTo: payment.pay_to,
    asset,
    amount: asset === null ? amount : formatMoney(money(asset, BigInt(amount))),
    resourceUrl: life.find(({ resource_url: url }) => url !== null)?.resource_url ?? null,
    entries: life.map(({ entry_id: id, place, outcome, transaction, reason, issued_at }) => ({
      id,
      place,
      outcome,
      transaction,
      reason,
      at: issued_at.toISOString(),
    })),
  };
}

function viewMatch(match: MatchRow): z.infer<typeof matchView> {
  const { id, rule, state, asset } = match;
  return {
    id,
    rule,
    state,
    asset,
    amount: formatMoney(money(asset, BigInt(match.amount))),
    matchedAt: match.matched_at.toISOString(),
    transfer: {
      id: match.transfer_id,
      network: match.network,
      transaction: match.transaction,
      block: match.block_number,
      blockHash: match.block_hash,
      blockTime: match.block_time.toISOString(),
      logIndex: match.log_index,
      amount: formatMoney(money(asset, BigInt(match.value))),
    },
  };
}

/** Movements are in the order of their journals. */
function viewJournals(movements: readonly MovementRow[]): View['journals'] {
  const journals = new Map<string, View['journals'][number]>();
  for (const movement of movements) {
    const { id, kind, source, reverses, debit, credit, asset } = movement;
    const journal = journals.get(id) ?? {
      id,
      kind,
      source,
      occurredAt: movement.occurred_at.toISOString(),
      effectiveAt: movement.effective_at.toISOString(),
      bookedAt: movement.booked_at.toISOString(),
      reverses,
      movements: [],
    };
    journal.movements.push({ debit, credit, asset, amount: formatMoney(money(asset, BigInt(movement.amount))) });
    journals.set(id, journal);
  }
  return [...journals.values()];
}

/** Null where the text, which may be that of a refused entry, has no such header. */
function keyIdOf(jws: string): string | null {
  try {
    const [header = ''] = jws.split('.', 1);
    const read: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    return z.object({ kid: z.string().max(500) }).safeParse(read).data?.kid ?? null;
  } catch {
    return null;
  }
}
