import { formatMoney, money, parseMoney } from '@keyfare/core/money';
import { identifierText, nameText, noteText } from '@keyfare/core/text';
import { parseMonth } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  Sensitive,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Adjustment, Adjustments, adjustmentStates } from '../invoice/adjustments.js';
import { Adjusting } from './adjusting.js';
import { amountText } from './dollars.js';

const kinds = ['debit', 'credit', 'prepaid'] as const;
const view = z
  .object({
    id: z.string(),
    account: z.string(),
    /** From this month on it is for the first invoice that is not final; a day, where its period begins within one. */
    month: z.string(),
    /** `debit`: the customer pays more. `prepaid`: too, and later invoices draw on it. */
    kind: z.enum(kinds),
    amount: z.string(),
    /** How much of it is on final invoices: `invoices`. */
    invoiced: z.string(),
    invoices: z.array(z.string()),
    state: z.enum(adjustmentStates),
    /** What the customer reads. */
    description: z.string(),
    why: z.string(),
    madeBy: z.string(),
    madeAt: z.iso.datetime(),
    approvedBy: z.string().nullable(),
    approvedAt: z.iso.datetime().nullable(),
    withdrawnBy: z.string().nullable(),
    withdrawnAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Adjustment' });
const page = pageOf(view).meta({ id: 'AdjustmentPage' });
const query = z.strictObject({
  ...pageQuery,
  account: identifierText.optional(),
  state: z.enum(adjustmentStates).optional(),
});
const request = z
  .strictObject({
    account: identifierText,
    kind: z.enum(kinds),
    amount: amountText,
    description: nameText,
    why: noteText,
    month: z.string().max(7).optional(),
  })
  .meta({ id: 'AdjustmentRequest' });

/** What is added to the next invoice of an account, or taken from it, by whom and why. */
@ApiBearerAuth()
@Admin('adjustments')
export class AdjustmentController {
  constructor(
    private readonly changes: Changes,
    private readonly adjustments: Adjustments,
    private readonly adjusting: Adjusting,
  ) {}

  /** In the order in which they were made. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(
    @Query({ schema: query }) { cursor, limit, account, state }: z.infer<typeof query>,
  ): Promise<z.infer<typeof page>> {
    const after = readCursor('adjustments', cursor, [positions.time, z.uuid()]);
    return toPage(await this.adjustments.list({ account, state, after, limit }), {
      list: 'adjustments',
      limit,
      position: ({ madeAt, id }) => [madeAt.toISOString(), id],
      view: viewOf,
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(await this.adjustments.find(id));
  }

  @Post()
  @Sensitive()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    const { account, kind, amount, description, why } = given;
    const month = given.month === undefined ? undefined : parseMonth(given.month);
    const size = parseMoney('USD', amount).atomic;
    return this.changes.make(asked, 'adjustment.create', async (tx) => {
      const signed = kind === 'credit' ? -size : size;
      const of = {
        account,
        month,
        amount: signed,
        prepaid: kind === 'prepaid',
        description,
        why,
        by: operatorOf(asked),
      };
      const after = viewOf(await this.adjusting.add(tx, of));
      return { subject: after.id, before: null, after, answer: after };
    });
  }

  /** Another operator agrees to one that is over the limit. */
  @Post(':id/approve')
  @HttpCode(200)
  @Sensitive()
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async approve(@Req() asked: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return this.#change(asked, id, {
      action: 'adjustment.approve',
      work: (tx) => this.adjusting.approve(tx, id, operatorOf(asked)),
    });
  }

  /** Takes back one that is on no final invoice. */
  @Post(':id/withdraw')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async withdraw(@Req() asked: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return this.#change(asked, id, {
      action: 'adjustment.withdraw',
      work: (tx) => this.adjusting.withdraw(tx, id, operatorOf(asked)),
    });
  }

  async #change(
    asked: FastifyRequest,
    id: string,
    { action, work }: { readonly action: string; readonly work: (tx: Sql) => Promise<Adjustment> },
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, action, async (tx) => {
      const before = viewOf(await this.adjustments.find(id, tx));
      const after = viewOf(await work(tx));
      return { subject: id, before, after, answer: after };
    });
  }
}

function viewOf({ amount, invoiced, ...found }: Adjustment): z.infer<typeof view> {
  const { id, account, month, prepaid, invoices, state, description, why, madeBy, madeAt } = found;
  return {
    id,
    account,
    month,
    kind: prepaid ? 'prepaid' : amount < 0n ? 'credit' : 'debit',
    amount: dollars(amount),
    invoiced: dollars(invoiced),
    invoices: [...invoices],
    state,
    description,
    why,
    madeBy,
    madeAt: madeAt.toISOString(),
    approvedBy: found.approvedBy,
    approvedAt: found.approvedAt?.toISOString() ?? null,
    withdrawnBy: found.withdrawnBy,
    withdrawnAt: found.withdrawnAt?.toISOString() ?? null,
  };
}

/** Without its sign: `kind` says it. */
function dollars(amount: bigint): string {
  return formatMoney(money('USD', amount < 0n ? -amount : amount));
}
