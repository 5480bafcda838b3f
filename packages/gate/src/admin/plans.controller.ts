import { parsePrice } from '@keyfare/core/money';
import { Body, Get, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Admin, Changes, Needs, pageOf, pageQuery, positions, readCursor, Sensitive, toPage } from '../operators.js';
import { PlanService } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { planSlug, planView, viewPlan } from './views.js';

const price = z.string().regex(/^\$\d{1,12}(?:\.\d{1,6})?$/, 'must be dollars with at most six decimals, like $0.0005');
const newPlan = z
  .strictObject({
    slug: planSlug,
    includedUnits: z.int().min(0),
    overage: z.enum(['reject', 'invoice', 'x402']),
    overagePrice: price.optional(),
    monthlyPrice: price.default('$0'),
  })
  .refine(({ overage, overagePrice }) => (overage === 'reject') === (overagePrice === undefined), {
    error: 'must be given where the overage is sold (invoice, x402), and only there; $0 is a price',
    path: ['overagePrice'],
  })
  .meta({ id: 'NewPlan' });
const planPage = pageOf(planView).meta({ id: 'PlanPage' });
const listQuery = z.strictObject(pageQuery);

/** Plans, for operators. Posting a slug again makes its next version; accounts stay on the one they have. */
@Free()
@Admin('admin/plans')
export class PlansController {
  constructor(
    private readonly changes: Changes,
    private readonly plans: PlanService,
  ) {}

  @Post()
  @Sensitive()
  @Needs('money')
  @Answers(201, planView)
  async create(
    @Req() request: FastifyRequest,
    @Body({ schema: newPlan }) body: z.infer<typeof newPlan>,
  ): Promise<z.infer<typeof planView>> {
    const plan = {
      slug: body.slug,
      includedUnits: BigInt(body.includedUnits),
      overage: body.overage,
      overagePrice: body.overagePrice === undefined ? null : parsePrice(body.overagePrice),
      monthlyPrice: parsePrice(body.monthlyPrice),
    };
    return this.changes.make(request, 'plan.create', async (tx) => {
      const after = viewPlan(await this.plans.create(plan, tx));
      return { subject: after.id, before: null, after, answer: after };
    });
  }

  @Get()
  @Answers(200, planPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof planPage>> {
    const after = readCursor('plans', query.cursor, [planSlug, positions.count]);
    const [slug = '', version = ''] = after ?? [];
    return toPage(await this.plans.list(after === null ? null : { slug, version }, query.limit), {
      list: 'plans',
      limit: query.limit,
      position: (plan) => [plan.slug, String(plan.version)],
      view: viewPlan,
    });
  }
}
