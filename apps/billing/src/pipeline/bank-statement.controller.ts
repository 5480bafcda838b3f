import { formatMoney, money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { Admin, Changes, Needs, operatorOf } from '@keyfare/gate/operators';
import { Body, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BankStatements, type ReadStatement } from './bank-statements.js';

const query = z.strictObject({
  bankAccount: z.uuid(),
  /** `true`: nothing is stored; the answer says what would be. */
  preview: z.enum(['true', 'false']).default('false'),
});
const request = z
  .strictObject({
    /** The file in base64. As `text/csv` the body is the file itself. */
    content: z.string().max(1_400_000),
  })
  .meta({ id: 'BankStatementRequest' });
const mostShown = 200;
const view = z
  .object({
    bankAccount: z.string(),
    preview: z.boolean(),
    encoding: z.string(),
    lines: z.int(),
    /** Lines that another statement had already. */
    known: z.int(),
    added: z.int(),
    /** How many of the new lines were matched at once, by the number of an invoice. */
    matched: z.int(),
    /** What the new lines come to. */
    total: z.string(),
    /** The first of the new lines. */
    items: z.array(
      z.object({
        id: z.string(),
        line: z.int(),
        bookedOn: z.string(),
        amount: z.string(),
        payer: z.string(),
        reference: z.string(),
      }),
    ),
  })
  .meta({ id: 'BankStatement' });

/** Statements of the bank accounts, as CSV. */
@ApiBearerAuth()
@Admin('bank-statements')
export class BankStatementController {
  constructor(
    private readonly changes: Changes,
    private readonly statements: BankStatements,
  ) {}

  /** Stores each payment that is not stored yet; of a file with a bad line nothing. */
  @Post()
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async store(
    @Req() asked: FastifyRequest,
    @Query({ schema: query }) { bankAccount, preview }: z.infer<typeof query>,
    @Body({ schema: request }) { content }: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    const bytes = bytesOf(content);
    if (preview === 'true') {
      return viewOf(bankAccount, { ...(await this.statements.preview(bankAccount, bytes)), preview: true });
    }
    return this.changes.make(asked, 'bank-statement.import', async (tx) => {
      const by = operatorOf(asked).name;
      const read = await this.statements.store(tx, bankAccount, { bytes, by });
      const answer = viewOf(bankAccount, { ...read, preview: false });
      const { items: _items, ...after } = answer;
      return { subject: bankAccount, before: null, after, answer };
    });
  }
}

function viewOf(
  bankAccount: string,
  { preview, encoding, lines, added, matched }: ReadStatement & { readonly preview: boolean },
): z.infer<typeof view> {
  return {
    bankAccount,
    preview,
    encoding: encoding ?? '',
    lines,
    known: lines - added.length,
    added: added.length,
    matched,
    total: dollars(added.reduce((sum, { amount }) => sum + amount, 0n)),
    items: added.slice(0, mostShown).map(({ id, line, bookedOn, amount, payer, reference }) => {
      return { id, line, bookedOn, amount: dollars(amount), payer, reference };
    }),
  };
}

/** Node drops what is no base64; here it is refused, so that no file is read in part. */
function bytesOf(content: string): Buffer {
  const bytes = Buffer.from(content, 'base64');
  if (bytes.toString('base64') === content) return bytes;
  throw new Problem('request/invalid', undefined, { extensions: { errors: ['body.content is no base64'] } });
}

function dollars(amount: bigint): string {
  return formatMoney(money('USD', amount));
}
