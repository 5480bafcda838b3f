import { Admin, Changes, idParam, Needs, operatorOf } from '@keyfare/gate/operators';
import { Body, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { WalletMatches } from './wallet-matches.js';

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'must be a wallet');
const request = z.strictObject({ address }).meta({ id: 'CustomerWalletRequest' });
const view = z.object({ customer: z.string(), address: z.string() }).meta({ id: 'CustomerWallet' });
const matched = z
  .object({ items: z.array(z.object({ match: z.string(), invoice: z.string(), transfer: z.string() })) })
  .meta({ id: 'TransferMatches' });

/** The wallets that customers pay invoices from. */
@ApiBearerAuth()
@Admin('customers')
export class CustomerWalletController {
  constructor(
    private readonly changes: Changes,
    private readonly matches: WalletMatches,
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
