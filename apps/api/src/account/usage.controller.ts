import { periodOf } from '@keyfare/core/metering';
import type { AccountPrincipal } from '@keyfare/core/principal';
import { formatMonth } from '@keyfare/core/time';
import { GateConfig, MeterService, TermsService } from '@keyfare/gate/services';
import { Free } from '@keyfare/gate/tariff';
import { Controller, Get, Query, Req, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { AccountGuard } from './account.guard.js';

const usage = z
  .object({
    account: z.string(),
    key: z.string(),
    plan: z.string(),
    month: z.string(),
    used: z.string(),
    included: z.string(),
    overage: z.enum(['reject', 'invoice', 'x402']),
    renewsAt: z.iso.datetime(),
  })
  .meta({ id: 'Usage' });

/** Nothing is asked for in the query. */
const nothing = z.strictObject({});

/** What a customer may ask about themselves, for nothing. */
@Free()
@Controller('v1/usage')
export class UsageController {
  constructor(
    private readonly config: GateConfig,
    private readonly terms: TermsService,
    private readonly meter: MeterService,
  ) {}

  /** The account behind the key, and its running month. */
  @Get()
  @UseGuards(AccountGuard)
  @ApiBearerAuth()
  @ApiOkResponse({ standardSchema: usage })
  async usage(
    @Req() request: { user: AccountPrincipal },
    @Query({ schema: nothing }) _query: z.infer<typeof nothing>,
  ): Promise<z.infer<typeof usage>> {
    const { accountId, keyId } = request.user;
    const terms = await this.terms.of(accountId);
    const { plan } = terms;
    const month = periodOf(plan, this.config.clock());
    const { used } = await this.meter.summary(terms, month.start);
    return {
      account: accountId,
      key: keyId,
      plan: plan.slug,
      month: formatMonth(month),
      used: used.toString(),
      included: plan.includedUnits.toString(),
      overage: plan.overage,
      renewsAt: month.end.toISOString(),
    };
  }
}
