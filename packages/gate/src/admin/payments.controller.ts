import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import { Get, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { Admin, idParam, pageOf, pageQuery, readCursor, toPage } from '../operators.js';
import { GateConfig, PaymentCourse, PaymentHistory } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { invalid } from './edge.js';
import { paymentDetail, paymentView, paymentStates as states, viewPayment, viewPaymentDetail } from './payment-view.js';

/** How far the list looks back by itself. */
const windowMs = 31 * 86_400_000;
const longestWindowMs = 366 * 86_400_000;

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
  transaction: z
    .string()
    .regex(/^0x[0-9a-fA-F]{64}$/, 'must be the hash of a transaction')
    .transform((text) => text.toLowerCase())
    .optional(),
  account: identifierText.optional(),
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
    private readonly course: PaymentCourse,
  ) {}

  /**
   * The newest first; of the last 31 days, unless `from` says another time, or of a year those that a `transaction` of
   * our settler moves.
   */
  @Get()
  @Answers(200, paymentPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof paymentPage>> {
    const { payer, state, transaction, account, limit } = query;
    const backMs = transaction === undefined ? windowMs : longestWindowMs;
    const to = query.to === undefined ? new Date(this.config.clock().getTime() + 60_000) : new Date(query.to);
    const from = query.from === undefined ? new Date(to.getTime() - backMs) : new Date(query.from);
    if (from > to) throw invalid('from must not be after to');
    if (from.getTime() < 0) throw invalid('from must not be before 1970');
    if (to.getTime() - from.getTime() > longestWindowMs) throw invalid('from and to must be within 366 days');
    const [after = null] = readCursor('payments', query.cursor, [z.uuid()]) ?? [];
    return toPage(await this.payments.list({ payer, state, transaction, account, from, to, after, limit }), {
      list: 'payments',
      limit,
      position: ({ id }) => [id],
      view: viewPayment,
    });
  }

  /** With its life step by step, and where its transaction is in the chain now. */
  @Get(':id')
  @Answers(200, paymentDetail)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof paymentDetail>> {
    if (!z.uuid().safeParse(id).success) throw new Problem('payment/not-found');
    const payment = await this.payments.find(id);
    return viewPaymentDetail(payment, await this.course.read(payment));
  }
}
