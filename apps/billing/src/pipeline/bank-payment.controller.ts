import { formatMoney, money } from '@keyfare/core/money';
import { identifierText } from '@keyfare/core/text';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BankPayment, BankPayments, paymentStates } from '../receivable/bank-payments.js';
import { BankMatches } from './bank-matches.js';
import { amountText, optionalAmount } from './dollars.js';

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

const matchRequest = z
  .strictObject({ invoice: z.uuid(), amount: amountText.optional() })
  .meta({ id: 'BankPaymentMatch' });
const creditRequest = z
  .strictObject({ customer: identifierText, amount: amountText.optional() })
  .meta({ id: 'BankPaymentCredit' });

/** Payments of the bank statements. */
@ApiBearerAuth()
@Admin('bank-payments')
export class BankPaymentController {
  constructor(
    private readonly changes: Changes,
    private readonly payments: BankPayments,
    private readonly matches: BankMatches,
  ) {}

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

  /** Says which invoice it pays; without an amount as much of it as both have left. */
  @Post(':id/match')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async match(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: matchRequest }) { invoice, amount }: z.infer<typeof matchRequest>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-payment.match', async (tx) => {
      const before = viewOf(await this.payments.find(id, tx));
      const wanted = { invoice, amount: optionalAmount(amount), by: operatorOf(asked).name };
      const after = viewOf(await this.matches.match(tx, id, wanted));
      return { subject: id, before, after: { ...after, invoice }, answer: after };
    });
  }

  /** Makes what is left of it, or a part of that, the credit of a customer. */
  @Post(':id/credit')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async credit(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: creditRequest }) { customer, amount }: z.infer<typeof creditRequest>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-payment.credit', async (tx) => {
      const before = viewOf(await this.payments.find(id, tx));
      const wanted = { customer, amount: optionalAmount(amount), by: operatorOf(asked).name };
      const after = viewOf(await this.matches.credit(tx, id, wanted));
      return { subject: id, before, after: { ...after, customer }, answer: after };
    });
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
