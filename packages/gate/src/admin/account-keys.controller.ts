import { periodOf } from '@keyfare/core/metering';
import { nameText, scopeText } from '@keyfare/core/text';
import { formatMonth, parseMonth } from '@keyfare/core/time';
import { Body, Get, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Admin, Changes, idParam, pageOf, pageQuery, positions, readCursor, Sensitive, toPage } from '../operators.js';
import { AccountService, GateConfig, KeyService, MeterService } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { issuedKey, keyView, viewKey } from './views.js';

const newKey = z
  .strictObject({
    name: nameText.default('default'),
    scopes: z.array(scopeText).max(50).default([]),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .default({ name: 'default', scopes: [] })
  .meta({ id: 'NewKey', description: 'Without `scopes` the key may buy everything.' });
const keyPage = pageOf(keyView).meta({ id: 'KeyPage' });
const listQuery = z.strictObject(pageQuery);
const month = z.strictObject({ month: z.string().optional() });
const accountUsage = z
  .object({ account: z.string(), month: z.string(), used: z.string(), limit: z.string().nullable() })
  .meta({ id: 'AccountUsage' });

/** What hangs on an account: its keys, and its months. */
@Free()
@Admin('admin/accounts/:id')
export class AccountKeysController {
  constructor(
    private readonly config: GateConfig,
    private readonly changes: Changes,
    private readonly accounts: AccountService,
    private readonly keys: KeyService,
    private readonly meter: MeterService,
  ) {}

  /** The secret in the answer is shown here and never again. */
  @Post('keys')
  @Sensitive()
  @Answers(201, issuedKey)
  async issue(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: newKey }) { name, scopes, expiresAt }: z.infer<typeof newKey>,
  ): Promise<z.infer<typeof issuedKey>> {
    const wanted = { name, scopes, expiresAt: expiresAt === undefined ? null : new Date(expiresAt) };
    return this.changes.make(request, 'key.issue', async (tx) => {
      const { key, secret } = await this.keys.issue(id, wanted, tx);
      const after = viewKey(key);
      return { subject: key.id, before: null, after, answer: { key: after, secret } };
    });
  }

  /** The oldest first. */
  @Get('keys')
  @Answers(200, keyPage)
  async list(
    @Param('id', idParam) id: string,
    @Query({ schema: listQuery }) { limit, cursor }: z.infer<typeof listQuery>,
  ): Promise<z.infer<typeof keyPage>> {
    await this.accounts.find(id);
    const position = readCursor('keys', cursor, [positions.time, positions.id]);
    const [createdAt = '', keyId = ''] = position ?? [];
    const after = position === null ? null : { createdAt, id: keyId };
    return toPage(await this.keys.list(id, { after, limit }), {
      list: 'keys',
      limit,
      position: (key) => [key.createdAt.toISOString(), key.id],
      view: viewKey,
    });
  }

  /** A month's counter; the running month by default. */
  @Get('usage')
  @Answers(200, accountUsage)
  async usage(
    @Param('id', idParam) id: string,
    @Query({ schema: month }) query: z.infer<typeof month>,
  ): Promise<z.infer<typeof accountUsage>> {
    const { plan } = await this.accounts.find(id);
    const period = query.month === undefined ? periodOf(plan, this.config.clock()) : parseMonth(query.month);
    const { used, limitUnits } = await this.meter.summary({ accountId: id, plan }, period.start);
    return { account: id, month: formatMonth(period), used: used.toString(), limit: limitUnits?.toString() ?? null };
  }
}
