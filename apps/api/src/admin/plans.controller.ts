import type { PlanTerms } from '@keyfare/core/metering';
import { parsePrice } from '@keyfare/core/money';
import { OperatorGuard } from '@keyfare/gate/server';
import { PlanService } from '@keyfare/gate/services';
import { Free } from '@keyfare/gate/tariff';
import { Body, Controller, Get, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { planView, viewPlan } from './views.js';

const price = z.string().regex(/^\$\d{1,12}(?:\.\d{1,6})?$/, 'must be dollars with at most six decimals, like $0.0005');
const newPlan = z
  .object({
    slug: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    includedUnits: z.int().min(0),
    overage: z.enum(['reject', 'invoice', 'x402']),
    overagePrice: price.default('$0'),
    monthlyPrice: price.default('$0'),
  })
  .meta({ id: 'NewPlan' });

/** Plans, for operators. Posting a slug again makes its next version; accounts stay on the one they have. */
@Free()
@UseGuards(OperatorGuard)
@ApiBearerAuth()
@Controller('admin/plans')
export class PlansController {
  constructor(private readonly plans: PlanService) {}

  @Post()
  @ApiCreatedResponse({ standardSchema: planView })
  async create(@Body({ schema: newPlan }) body: z.infer<typeof newPlan>): Promise<z.infer<typeof planView>> {
    const plan: PlanTerms = await this.plans.create({
      slug: body.slug,
      includedUnits: BigInt(body.includedUnits),
      overage: body.overage,
      overagePrice: parsePrice(body.overagePrice),
      monthlyPrice: parsePrice(body.monthlyPrice),
    });
    return viewPlan(plan);
  }

  @Get()
  @ApiOkResponse({ standardSchema: z.array(planView) })
  async list(): Promise<z.infer<typeof planView>[]> {
    return (await this.plans.list()).map(viewPlan);
  }
}
