import { formatMoney, money } from '@keyfare/core/money';
import { noteText } from '@keyfare/core/text';
import { Admin, Changes, idParam, Needs, operatorOf, Sensitive } from '@keyfare/gate/operators';
import { Body, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RefundsOfApi } from '../console/refunds-of-api.js';
import { WalletMatches } from './wallet-matches.js';

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'must be a wallet');
const request = z.strictObject({ address }).meta({ id: 'CustomerWalletRequest' });
const view = z.object({ customer: z.string(), address: z.string() }).meta({ id: 'CustomerWallet' });
const transferMatch = z
  .object({ match: z.string(), invoice: z.string(), transfer: z.string() })
  .meta({ id: 'TransferMatch' });
const matched = z.object({ items: z.array(transferMatch) }).meta({ id: 'TransferMatches' });
const unmatchRequest = z.strictObject({ match: z.uuid(), why: noteText }).meta({ id: 'TransferUnmatch' });

const refundRequest = z.strictObject({ entry: z.uuid() }).meta({ id: 'RefundCreditRequest' });
const creditView = z.object({ customer: z.string(), balance: z.string() }).meta({ id: 'RefundCredit' });

/** The wallets that customers pay from. */
@ApiBearerAuth()
@Admin('customers')
export class CustomerWalletController {
  constructor(
    private readonly changes: Changes,
    private readonly matches: WalletMatches,
    private readonly refunds: RefundsOfApi,
  ) {}

  /** Pays each invoice that one final transfer from its customer's wallet is exactly the amount of. */
  @Post('wallets/match')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: matched })
  async match(@Req() asked: FastifyRequest): Promise<z.infer<typeof matched>> {
    return this.changes.make(asked, 'customer-wallet.match', async (tx) => {
      const answer = { items: [...(await this.matches.matchByAmount(tx))] };
      return { subject: 'customer-wallets', before: null, after: answer, answer };
    });
  }

  /** Takes back a match that was wrong: the invoice is to be paid again, and the money is unidentified again. */
  @Post('wallets/unmatch')
  @HttpCode(200)
  @Sensitive()
  @Needs('money')
  @ApiOkResponse({ standardSchema: transferMatch })
  async unmatch(
    @Req() asked: FastifyRequest,
    @Body({ schema: unmatchRequest }) { match, why }: z.infer<typeof unmatchRequest>,
  ): Promise<z.infer<typeof transferMatch>> {
    return this.changes.make(asked, 'customer-wallet.unmatch', async (tx) => {
      const answer = await this.matches.unmatch(tx, match, { why, by: operatorOf(asked).name });
      return { subject: answer.invoice, before: answer, after: { ...answer, why }, answer };
    });
  }

  /**
   * What is owed back to a wallet of the customer's for a call that was not served becomes the customer's credit. The
   * API, which would pay it back, is told first: 409 where a refund of it is proposed or was approved there.
   */
  @Post(':id/credit/refund')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: creditView })
  async creditRefund(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: refundRequest }) { entry }: z.infer<typeof refundRequest>,
  ): Promise<z.infer<typeof creditView>> {
    const isTold = await this.matches.canCreditRefund(id, entry);
    if (isTold) await this.refunds.credit(asked, entry);
    return this.changes.make(asked, 'customer-credit.refund', async (tx) => {
      const balance = await this.matches.creditRefund(tx, id, { entry, by: operatorOf(asked).name, isTold });
      const answer = { customer: id, balance: formatMoney(money('USD', balance)) };
      return { subject: id, before: null, after: { ...answer, entry }, answer };
    });
  }

  @Post(':id/wallets')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'customer-wallet.add', async (tx) => {
      await this.matches.add(tx, id, { address: given.address, by: operatorOf(asked).name });
      const after = { customer: id, address: given.address.toLowerCase() };
      return { subject: id, before: null, after, answer: after };
    });
  }
}
