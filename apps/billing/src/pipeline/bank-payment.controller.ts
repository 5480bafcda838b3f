import { formatMoney, money } from '@keyfare/core/money';
import { Admin, idParam, pageOf, pageQuery, readCursor, toPage } from '@keyfare/gate/operators';
import { Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { type BankPayment, BankPayments, paymentStates } from '../receivable/bank-payments.js';

const view = z
  .object({
    id: z.string(),
    bankAccount: z.string(),
    bookedOn: z.string(),
    amount: z.string(),
    currency: z.string(),
    payer: z.string(),
    reference: z.string(),
    /** How much of it is matched. */
    matched: z.string(),
    state: z.enum(paymentStates),
    importedBy: z.string(),
    importedAt: z.iso.datetime(),
  })
  .meta({ id: 'BankPayment' });
const page = pageOf(view).meta({ id: 'BankPaymentPage' });
const query = z.strictObject({
  ...pageQuery,
  state: z.enum(paymentStates).optional(),
  bankAccount: z.uuid().optional(),
});
// PostgreSQL has no year 0.
const day = z.iso.date().regex(/^(?!0000)/);

/** Payments of the bank statements. */
@ApiBearerAuth()
@Admin('bank-payments')
export class BankPaymentController {
  constructor(private readonly payments: BankPayments) {}

  /** By the day on which they were booked. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(
    @Query({ schema: query }) { cursor, limit, state, bankAccount: bankAccountId }: z.infer<typeof query>,
  ): Promise<z.infer<typeof page>> {
    const after = readCursor('bank-payments', cursor, [day, z.uuid()]);
    return toPage(await this.payments.list({ state, bankAccountId, after, limit }), {
      list: 'bank-payments',
      limit,
      position: ({ bookedOn, id }) => [bookedOn, id],
      view: viewOf,
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(await this.payments.find(id));
  }
}

function viewOf({ bankAccountId, amount, matched, importedAt, ...payment }: BankPayment): z.infer<typeof view> {
  return {
    ...payment,
    bankAccount: bankAccountId,
    amount: dollars(amount),
    matched: dollars(matched),
    state: amount <= 0n ? 'out' : matched < amount ? 'open' : 'matched',
    importedAt: importedAt.toISOString(),
  };
}

function dollars(amount: bigint): string {
  return formatMoney(money('USD', amount));
}
