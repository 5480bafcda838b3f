import { z } from 'zod';
import { type Part, partOf } from '../operators.js';
import type { OnChain, PaymentSummary } from '../services.js';

export const paymentStates = ['claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired'] as const;

/** `mined`: in the chain, and it moved nothing for this payment. */
const attemptStates = ['sent', 'replaced', 'moved', 'mined', 'lost'] as const;

export const paymentView = z
  .object({
    id: z.uuid(),
    network: z.string(),
    asset: z.string(),
    payer: z.string(),
    nonce: z.string(),
    payTo: z.string(),
    amount: z.string(),
    flow: z.string(),
    state: z.enum(paymentStates),
    account: z.string().nullable(),
    claimedAt: z.iso.datetime(),
    servedAt: z.iso.datetime().nullable(),
    refundDueAt: z.iso.datetime().nullable(),
    cause: z.string().nullable(),
    transaction: z.string().nullable(),
    attempts: z.array(
      z.object({
        transaction: z.string(),
        wallet: z.string(),
        walletNonce: z.string(),
        maxFeePerGas: z.string(),
        createdAt: z.iso.datetime({ offset: true }),
        state: z.enum(attemptStates),
      }),
    ),
    batchSize: z.int().meta({ description: 'So many payments its transaction moves; 0 where none was sent.' }),
    /** What its caller should do. */
    advice: z.string(),
  })
  .meta({ id: 'Payment' });

const time = z.iso.datetime();
const stepNames = ['claimed', 'served', 'sent', 'mined', 'final', 'failed', 'expired', 'refund-due'] as const;

/** One payment, with its life. */
export const paymentDetail = paymentView
  .extend({
    steps: z.array(
      z.object({
        step: z.enum(stepNames),
        at: time.nullable().meta({ description: 'Null where that was not written down.' }),
        transaction: z.string().nullable(),
        block: z.string().nullable(),
      }),
    ),
    chain: partOf({
      block: z.string().nullable().meta({ description: 'Null for a transaction that is in no block.' }),
      blockAt: time.nullable(),
      confirmations: z.string().nullable().meta({ description: 'Blocks on top of its own.' }),
      finalAfter: z.int(),
      succeeded: z
        .boolean()
        .nullable()
        .meta({ description: 'Of the whole transaction: of a batch it says nothing of one payment.' }),
    })
      .nullable()
      .meta({ description: 'As the node has it now; null where nothing was sent.' }),
  })
  .meta({ id: 'PaymentDetail' });

type Step = z.infer<typeof paymentDetail>['steps'][number];

export function viewPaymentDetail(payment: PaymentSummary, chain: Part<OnChain> | null): z.infer<typeof paymentDetail> {
  return {
    ...viewPayment(payment),
    steps: stepsOf(payment, chain?.state === 'available' ? chain : null),
    chain: chain?.state === 'available' ? viewOnChain(chain) : chain,
  };
}

function viewOnChain({
  block,
  blockAt,
  confirmations,
  finalAfter,
  succeeded,
}: OnChain): z.infer<typeof paymentDetail>['chain'] {
  return {
    state: 'available',
    block: block?.toString() ?? null,
    blockAt: blockAt?.toISOString() ?? null,
    confirmations: confirmations?.toString() ?? null,
    finalAfter,
    succeeded,
  };
}

/** What happened to it, in the order of its flow: `upfront` is settled before it is served. */
function stepsOf(payment: PaymentSummary, chain: OnChain | null): Step[] {
  const { state, flow, transaction, attempts } = payment;
  const step = (name: Step['step'], at: Date | null, of: Partial<Step> = {}): Step => {
    return { step: name, at: at?.toISOString() ?? null, transaction: null, block: null, ...of };
  };
  const served = payment.servedAt === null ? [] : [step('served', payment.servedAt)];
  const sent = attempts.map((attempt) =>
    step('sent', new Date(attempt.createdAt), { transaction: attempt.transaction }),
  );
  const block = chain?.block ?? null;
  const isMoved = state === 'settled' || state === 'final';
  const mined =
    isMoved || block !== null
      ? [
          step('mined', chain?.blockAt ?? null, {
            transaction: transaction ?? attempts.at(-1)?.transaction ?? null,
            block: block?.toString() ?? null,
          }),
        ]
      : [];
  const ends =
    state === 'final' || state === 'failed' || state === 'expired' ? [step(state, null, { transaction })] : [];
  return [
    step('claimed', payment.claimedAt),
    ...(flow === 'upfront' ? [] : served),
    ...sent,
    ...mined,
    ...(flow === 'upfront' ? served : []),
    ...ends,
    ...(payment.refundDueAt === null ? [] : [step('refund-due', payment.refundDueAt)]),
  ];
}

export function viewPayment(payment: PaymentSummary): z.infer<typeof paymentView> {
  const { accountId, claimedAt, servedAt, refundDueAt, failure, attempts, ...rest } = payment;
  return {
    ...rest,
    account: accountId,
    claimedAt: claimedAt.toISOString(),
    servedAt: servedAt?.toISOString() ?? null,
    refundDueAt: refundDueAt?.toISOString() ?? null,
    cause: failure,
    attempts: attempts.map(({ transaction, wallet, walletNonce, maxFeePerGas, createdAt }, index) => ({
      transaction,
      wallet,
      walletNonce,
      maxFeePerGas,
      createdAt,
      state: attemptState(payment, index),
    })),
    advice: adviceOf(payment),
  };
}

/** Of transactions with one nonce, one is in the chain at most; it moved the payment, or else reverted for it. */
function attemptState({ attempts, transaction, state }: PaymentSummary, index: number): (typeof attemptStates)[number] {
  const isUnmoved = state === 'failed' || state === 'expired';
  if (attempts[index]?.transaction === transaction) return isUnmoved ? 'mined' : 'moved';
  if (index < attempts.length - 1 || transaction !== null) return 'replaced';
  return isUnmoved ? 'lost' : 'sent';
}

const advice = {
  claimed: 'The call is under way. Wait, then send the same payment again.',
  served: 'The call was served; the money is collected later. Nothing to do but to keep the balance.',
  settling: 'The money may have moved. Send the same payment again, never a new one.',
  settled: 'Paid and served. The owner of the answer gets it again with the Idempotency-Key of the first call.',
  unserved: 'The money moved and the call is not served yet. Send the same payment again.',
  refund: 'The money moved and nothing was served: the payer is owed a refund. Do not pay again.',
  unmoved: 'Nothing moved. Pay again with a new authorization.',
  unpaid: 'The call was served and was never paid for. It stands among the unpaid calls.',
} as const;

function adviceOf({ state, refundDueAt, servedAt, flow }: PaymentSummary): string {
  if (refundDueAt !== null) return advice.refund;
  if (state === 'failed' || state === 'expired') return servedAt === null ? advice.unmoved : advice.unpaid;
  if (state !== 'settled' && state !== 'final') return advice[state];
  return flow === 'upfront' && servedAt === null ? advice.unserved : advice.settled;
}
