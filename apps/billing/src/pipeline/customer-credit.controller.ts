import { formatMoney, money } from '@keyfare/core/money';
import { Admin, Changes, idParam, Needs, operatorOf } from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MasterData } from '../customer/master-data.js';
import { Credits } from '../receivable/credits.js';
import { BankMatches } from './bank-matches.js';
import { amountText, optionalAmount } from './dollars.js';

const view = z.object({ customer: z.string(), balance: z.string() }).meta({ id: 'CustomerCredit' });
const request = z
  .strictObject({ invoice: z.uuid(), amount: amountText.optional() })
  .meta({ id: 'CustomerCreditRequest' });

/** What a customer paid beyond what was to be paid. */
@ApiBearerAuth()
@Admin('customers')
export class CustomerCreditController {
  constructor(
    private readonly changes: Changes,
    private readonly customers: MasterData,
    private readonly credits: Credits,
    private readonly matches: BankMatches,
  ) {}

  @Get(':id/credit')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    await this.customers.find('customer', id);
    return viewOf(id, await this.credits.balance(id));
  }

  /** Pays an invoice; without an amount as much of it as the credit will. */
  @Post(':id/credit/apply')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async apply(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: request }) { invoice, amount }: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'customer-credit.apply', async (tx) => {
      await this.customers.find('customer', id, tx);
      const before = viewOf(id, await this.credits.balance(id, tx));
      const wanted = { invoice, amount: optionalAmount(amount), by: operatorOf(asked).name };
      const after = viewOf(id, await this.matches.applyCredit(tx, id, wanted));
      return { subject: id, before, after: { ...after, invoice }, answer: after };
    });
  }
}

function viewOf(customer: string, balance: bigint): z.infer<typeof view> {
  return { customer, balance: formatMoney(money('USD', balance)) };
}
