import { formatMoney, money, parseMoney } from '@keyfare/core/money';
import { nameText } from '@keyfare/core/text';
import { Admin, Changes, idParam, Needs, operatorOf } from '@keyfare/gate/operators';
import { Body, Get, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type ContractCommit, type ContractPrice, ContractTerms } from './contract-terms.js';

// PostgreSQL has no year 0.
const time = z.iso.datetime({ precision: 3 }).regex(/^(?!0000)/);
const amount = z.string().regex(/^\d{1,12}(?:\.\d{1,6})?$/, 'must be dollars, such as 100 or 0.000200');
const made = { madeBy: z.string(), madeAt: z.iso.datetime() };

const priceView = z
  .object({ id: z.string(), sku: z.string(), unitPrice: z.string().nullable(), validFrom: z.iso.datetime(), ...made })
  .meta({ id: 'ContractPrice' });
const priceList = z.object({ items: z.array(priceView) }).meta({ id: 'ContractPriceList' });
const priceRequest = z
  .strictObject({
    sku: nameText,
    /** For a unit beyond the plan; null: the plan's again. */
    unitPrice: amount.nullable(),
    validFrom: time,
  })
  .meta({ id: 'ContractPriceRequest' });
const commitView = z
  .object({ id: z.string(), amount: z.string(), validFrom: z.iso.datetime(), ...made })
  .meta({ id: 'ContractCommit' });
const commitList = z.object({ items: z.array(commitView) }).meta({ id: 'ContractCommitList' });
const commitRequest = z
  .strictObject({
    /** What a whole month comes to at least; 0: nothing from then on. */
    amount,
    /** The start of a month. */
    validFrom: time,
  })
  .meta({ id: 'ContractCommitRequest' });

/** Prices of a contract's own, and what a month of it comes to at least. */
@ApiBearerAuth()
@Admin('contracts')
export class ContractTermsController {
  constructor(
    private readonly changes: Changes,
    private readonly terms: ContractTerms,
  ) {}

  /** By product, the oldest first. */
  @Get(':id/prices')
  @ApiOkResponse({ standardSchema: priceList })
  async prices(@Param('id', idParam) id: string): Promise<z.infer<typeof priceList>> {
    return { items: (await this.terms.prices(id)).map(viewPrice) };
  }

  /** A price for calls that are made from a time on. Nothing that was charged is charged again. */
  @Post(':id/prices')
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: priceView })
  async addPrice(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: priceRequest }) { sku, unitPrice, validFrom }: z.infer<typeof priceRequest>,
  ): Promise<z.infer<typeof priceView>> {
    const price = unitPrice === null ? null : parseMoney('USD', unitPrice).atomic;
    return this.changes.make(asked, 'contract.price', async (tx) => {
      const given = { sku, unitPrice: price, validFrom: new Date(validFrom), by: operatorOf(asked).name };
      const answer = viewPrice(await this.terms.addPrice(tx, id, given));
      return { subject: id, before: null, after: answer, answer };
    });
  }

  /** The oldest first. */
  @Get(':id/commits')
  @ApiOkResponse({ standardSchema: commitList })
  async commits(@Param('id', idParam) id: string): Promise<z.infer<typeof commitList>> {
    return { items: (await this.terms.commits(id)).map(viewCommit) };
  }

  /** What each month comes to at least, from a month on. */
  @Post(':id/commits')
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: commitView })
  async addCommit(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: commitRequest }) given: z.infer<typeof commitRequest>,
  ): Promise<z.infer<typeof commitView>> {
    const least = parseMoney('USD', given.amount).atomic;
    return this.changes.make(asked, 'contract.commit', async (tx) => {
      const commit = { amount: least, validFrom: new Date(given.validFrom), by: operatorOf(asked).name };
      const answer = viewCommit(await this.terms.addCommit(tx, id, commit));
      return { subject: id, before: null, after: answer, answer };
    });
  }
}

function viewPrice({ id, sku, unitPrice, validFrom, madeBy, madeAt }: ContractPrice): z.infer<typeof priceView> {
  const price = unitPrice === null ? null : formatMoney(money('USD', unitPrice));
  return { id, sku, unitPrice: price, validFrom: validFrom.toISOString(), madeBy, madeAt: madeAt.toISOString() };
}

function viewCommit({ id, amount: least, validFrom, madeBy, madeAt }: ContractCommit): z.infer<typeof commitView> {
  return {
    id,
    amount: formatMoney(money('USD', least)),
    validFrom: validFrom.toISOString(),
    madeBy,
    madeAt: madeAt.toISOString(),
  };
}
