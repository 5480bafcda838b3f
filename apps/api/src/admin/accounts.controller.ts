import { periodOf } from '@keyfare/core/metering';
import { formatMonth, parseMonth } from '@keyfare/core/time';
import { OperatorGuard } from '@keyfare/gate/server';
import { AccountService, AgreementService, GateConfig, KeyService, MeterService } from '@keyfare/gate/services';
import { Free } from '@keyfare/gate/tariff';
import { Body, Controller, Get, Param, Patch, Post, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { accountView, keyView, viewAccount, viewKey } from './views.js';

const name = z.string().trim().min(1).max(200);
const planSlug = z.string().min(1).max(63);
const newAccount = z.object({ name, plan: planSlug }).meta({ id: 'NewAccount' });
const accountChange = z
  .object({ plan: planSlug.optional(), status: z.enum(['active', 'suspended']).optional() })
  .meta({ id: 'AccountChange' });
const newKey = z
  .object({
    name: name.default('default'),
    scopes: z.array(z.string().min(1).max(64)).max(50).default([]),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'NewKey' });
const issuedKey = z.object({ key: keyView, secret: z.string() }).meta({ id: 'IssuedKey' });
const month = z.object({ month: z.string().optional() });
const accountUsage = z
  .object({ account: z.string(), month: z.string(), used: z.string(), limit: z.string().nullable() })
  .meta({ id: 'AccountUsage' });

/** Accounts and their keys, for operators. */
@Free()
@UseGuards(OperatorGuard)
@ApiBearerAuth()
@Controller('admin/accounts')
export class AccountsController {
  constructor(
    private readonly config: GateConfig,
    private readonly agreements: AgreementService,
    private readonly accounts: AccountService,
    private readonly keys: KeyService,
    private readonly meter: MeterService,
  ) {}

  @Post()
  @ApiCreatedResponse({ standardSchema: accountView })
  async open(@Body({ schema: newAccount }) body: z.infer<typeof newAccount>): Promise<z.infer<typeof accountView>> {
    return viewAccount(await this.agreements.open(body));
  }

  @Get()
  @ApiOkResponse({ standardSchema: z.array(accountView) })
  async list(): Promise<z.infer<typeof accountView>[]> {
    return (await this.accounts.list()).map(viewAccount);
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: accountView })
  async find(@Param('id') id: string): Promise<z.infer<typeof accountView>> {
    return viewAccount(await this.accounts.find(id));
  }

  @Patch(':id')
  @ApiOkResponse({ standardSchema: accountView })
  async change(
    @Param('id') id: string,
    @Body({ schema: accountChange }) body: z.infer<typeof accountChange>,
  ): Promise<z.infer<typeof accountView>> {
    if (body.plan !== undefined) await this.agreements.changePlan(id, body.plan);
    if (body.status !== undefined) await this.accounts.setStatus(id, body.status);
    return viewAccount(await this.accounts.find(id));
  }

  /** The secret in the answer is shown here and never again. */
  @Post(':id/keys')
  @ApiCreatedResponse({ standardSchema: issuedKey })
  async issueKey(
    @Param('id') id: string,
    @Body({ schema: newKey }) body: z.infer<typeof newKey>,
  ): Promise<z.infer<typeof issuedKey>> {
    const { key, secret } = await this.keys.issue(id, {
      name: body.name,
      scopes: body.scopes,
      expiresAt: body.expiresAt === undefined ? null : new Date(body.expiresAt),
    });
    return { key: viewKey(key), secret };
  }

  @Get(':id/keys')
  @ApiOkResponse({ standardSchema: z.array(keyView) })
  async listKeys(@Param('id') id: string): Promise<z.infer<typeof keyView>[]> {
    return (await this.keys.list(id)).map(viewKey);
  }

  /** A month's counter; the running month by default. */
  @Get(':id/usage')
  @ApiOkResponse({ standardSchema: accountUsage })
  async usage(
    @Param('id') id: string,
    @Query({ schema: month }) query: z.infer<typeof month>,
  ): Promise<z.infer<typeof accountUsage>> {
    const { plan } = await this.accounts.find(id);
    const period = query.month === undefined ? periodOf(plan, this.config.clock()) : parseMonth(query.month);
    const { used, limitUnits } = await this.meter.summary({ accountId: id, plan }, period.start);
    return { account: id, month: formatMonth(period), used: used.toString(), limit: limitUnits?.toString() ?? null };
  }
}
