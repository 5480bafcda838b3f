import { Problem } from '@keyfare/core/problem';
import { Get, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { Admin, idParam, pageOf, pageQuery, readCursor, toPage } from '../operators.js';
import { GateConfig, PaymentHistory, type PaymentSummary } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { invalid } from './edge.js';

const states = ['claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired'] as const;
/** How far the list looks back by itself. */
const windowMs = 31 * 86_400_000;
const longestWindowMs = 366 * 86_400_000;

const paymentView = z
  .object({
    id: z.uuid(),
    network: z.string(),
    asset: z.string(),
    payer: z.string(),
    nonce: z.string(),
    payTo: z.string(),
    amount: z.string(),
    flow: z.string(),
    state: z.enum(states),
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
        state: z.enum(['sent', 'replaced', 'moved', 'lost']),
      }),
    ),
    /** What its caller should do. */
    advice: z.string(),
  })
  .meta({ id: 'Payment' });
const paymentPage = pageOf(paymentView).meta({ id: 'PaymentPage' });
const time = z.iso.datetime({ offset: true });
const listQuery = z.strictObject({
  ...pageQuery,
  payer: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address')
    .transform((text) => text.toLowerCase())
    .optional(),
  state: z.enum(states).optional(),
  from: time.optional(),
  to: time.optional(),
});

/** What became of each payment, for operators who are asked. */
@Free()
@Admin('admin/payments')
export class PaymentsController {
  constructor(
    private readonly config: GateConfig,
    private readonly payments: PaymentHistory,
  ) {}

  /** The newest first; of the last 31 days, unless `from` says another time. */
  @Get()
  @Answers(200, paymentPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof paymentPage>> {
    const { payer, state, limit } = query;
    const to = query.to === undefined ? new Date(this.config.clock().getTime() + 60_000) : new Date(query.to);
    const from = query.from === undefined ? new Date(to.getTime() - windowMs) : new Date(query.from);
    if (from > to) throw invalid('from must not be after to');
    if (from.getTime() < 0) throw invalid('from must not be before 1970');
    if (to.getTime() - from.getTime() > longestWindowMs) throw invalid('from and to must be within 366 days');
    const [after = null] = readCursor('payments', query.cursor, [z.uuid()]) ?? [];
    return toPage(await this.payments.list({ payer, state, from, to, after, limit }), {
      list: 'payments',
      limit,
      position: ({ id }) => [id],
      view: viewPayment,
    });
  }

  @Get(':id')
  @Answers(200, paymentView)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof paymentView>> {
    if (!z.uuid().safeParse(id).success) throw new Problem('payment/not-found');
    return viewPayment(await this.payments.find(id));
  }
}

function viewPayment(payment: PaymentSummary): z.infer<typeof paymentView> {
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

/** Of transactions with one nonce, one is in the chain at most: the one that moved the payment, or none so far. */
function attemptState(
  { attempts, transaction, state }: PaymentSummary,
  index: number,
): 'sent' | 'replaced' | 'moved' | 'lost' {
  if (attempts[index]?.transaction === transaction) return 'moved';
  if (index < attempts.length - 1 || transaction !== null) return 'replaced';
  return state === 'failed' || state === 'expired' ? 'lost' : 'sent';
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
