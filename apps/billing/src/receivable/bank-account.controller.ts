import { nameText } from '@keyfare/core/text';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  requireMatch,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BankAccount, BankAccounts } from './bank-accounts.js';
import { isIban } from './iban.js';
import { mapping } from './mapping.js';

const fields = {
  name: nameText,
  iban: z.string().max(34).refine(isIban, { error: 'must be an IBAN without blanks' }).nullable(),
  mapping,
};
/** ISO 4217. */
const currency = z.string().regex(/^[A-Z]{3}$/, 'must be three letters');
const view = z.object({ id: z.string(), ...fields, currency, createdAt: z.iso.datetime() }).meta({ id: 'BankAccount' });
const page = pageOf(view).meta({ id: 'BankAccountPage' });
const query = z.strictObject(pageQuery);
const request = z
  .strictObject({ ...fields, iban: fields.iban.default(null), currency })
  .meta({ id: 'BankAccountRequest' });
const change = z
  .strictObject(fields)
  .partial()
  .refine((given) => Object.keys(given).length > 0, { error: 'must change something' })
  .meta({ id: 'BankAccountChange' });

/** The bank accounts of ours, and how their statements are read. */
@ApiBearerAuth()
@Admin('bank-accounts')
export class BankAccountController {
  constructor(
    private readonly changes: Changes,
    private readonly accounts: BankAccounts,
  ) {}

  /** In the order in which they were made. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [after = null] = readCursor('bank-accounts', cursor, [positions.id]) ?? [];
    return toPage(await this.accounts.list({ after, limit }), {
      list: 'bank-accounts',
      limit,
      position: ({ id }) => [id],
      view: viewOf,
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(await this.accounts.find(id));
  }

  @Post()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-account.create', async (tx) => {
      const after = viewOf(await this.accounts.add(tx, given));
      return { subject: after.id, before: null, after, answer: after };
    });
  }

  /** Only what is named changes, the mapping as a whole, and only of the version that `If-Match` names. */
  @Patch(':id')
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async change(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: change }) given: z.infer<typeof change>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-account.change', async (tx) => {
      const found = await this.accounts.find(id, tx, true);
      const before = viewOf(found);
      requireMatch(asked, before);
      const after = viewOf(await this.accounts.change(tx, found, given as Partial<BankAccount>));
      return { subject: id, before, after, answer: after };
    });
  }
}

function viewOf({ createdAt, ...account }: BankAccount): z.infer<typeof view> {
  return { ...account, createdAt: createdAt.toISOString() };
}
