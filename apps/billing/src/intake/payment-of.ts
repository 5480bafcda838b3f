import type { GoodEntry } from '../entry.js';
import type { PaymentEntity } from './payment.entity.js';

/** What one entry says of a payment, as it is stored. */
export type PaymentRow = Readonly<PaymentEntity>;

/** What an entry says of a payment; nothing where it tells of none. */
export function paymentOf(entry: GoodEntry): readonly PaymentRow[] {
  switch (entry.kind) {
    case 'call': {
      const { receipt } = entry;
      if (receipt.rail !== 'x402') return [];
      return [rowOf(entry, receipt, { ...ofCall(receipt), outcome: receipt.settlement })];
    }
    case 'unpaid': {
      const { unpaid } = entry;
      const { reason, call: callId = null } = unpaid;
      return [rowOf(entry, unpaid, { ...ofCall(unpaid), outcome: 'unpaid', reason, callId })];
    }
    case 'refund-due': {
      const { refund } = entry;
      return [rowOf(entry, refund, { ...ofCall(refund), outcome: 'refund-due', reason: refund.reason })];
    }
    case 'settlement': {
      const { settlement } = entry;
      return [rowOf(entry, settlement, { ...ofNoCall, outcome: 'settlement', callId: settlement.call })];
    }
    case 'reversed': {
      const { reversed } = entry;
      const { call: callId, reason } = reversed;
      return [rowOf(entry, reversed, { ...ofNoCall, outcome: 'reversed', callId, reason })];
    }
    case 'terms':
    default:
      return [];
  }
}

type Rest = Pick<PaymentRow, 'outcome' | 'callId' | 'sku' | 'resourceUrl' | 'reason'>;

const ofNoCall = { sku: null, resourceUrl: null, reason: null, callId: null } as const;

function ofCall({ sku, resourceUrl }: { sku: string; resourceUrl: string }): Omit<Rest, 'outcome'> {
  return { sku, resourceUrl, reason: null, callId: null };
}

interface PaymentDocument {
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly payTo: string;
  readonly amount: string;
  readonly transaction?: string;
  readonly issuedAt: number;
}

function rowOf({ id, place }: GoodEntry, document: PaymentDocument, rest: Rest): PaymentRow {
  const { network, asset, payer, nonce, payTo, amount, transaction = null, issuedAt } = document;
  const key = { network, asset, payer, nonce, payTo, amount: BigInt(amount), transaction };
  return { entryId: id, ...key, ...rest, issuedAt: new Date(issuedAt * 1_000), place };
}
