import { isProblem } from '@keyfare/core/problem';
import { nameText } from '@keyfare/core/text';
import { Body, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  Admin,
  Changes,
  idParam,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  requireMatch,
  Sensitive,
  toPage,
} from '../operators.js';
import { AccountService, AgreementService, type PlanChoice } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { invalid } from './edge.js';
import { accountView, planSlug, viewAccount } from './views.js';

/** The newest version of a plan by its slug, or a version that is named. */
const planChoice = z.union([planSlug, z.strictObject({ slug: planSlug, version: z.int().min(1).max(2_147_483_647) })]);
const newAccount = z.strictObject({ name: nameText, plan: planChoice }).meta({ id: 'NewAccount' });
const accountChange = z
  .strictObject({
    name: nameText.optional(),
    plan: planChoice.optional(),
    status: z.enum(['active', 'suspended']).optional(),
    endsAt: z.iso.datetime({ offset: true }).nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'must change something' })
  .meta({ id: 'AccountChange', description: '`endsAt`: from when on nothing is sold; null takes the end away.' });
const accountPage = pageOf(accountView).meta({ id: 'AccountPage' });
const listQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(['active', 'suspended', 'closed']).optional(),
  plan: planSlug.optional(),
  search: nameText.optional(),
});

/** Accounts, for operators. */
@Free()
@Admin('admin/accounts')
export class AccountsController {
  constructor(
    private readonly changes: Changes,
    private readonly agreements: AgreementService,
    private readonly accounts: AccountService,
  ) {}

  @Post()
  @Answers(201, accountView)
  async open(
    @Req() request: FastifyRequest,
    @Body({ schema: newAccount }) body: z.infer<typeof newAccount>,
  ): Promise<z.infer<typeof accountView>> {
    return this.changes.make(request, 'account.open', async (tx) => {
      const after = viewAccount(await meetable(body.plan, this.agreements.open(body, tx)));
      return { subject: after.id, before: null, after, answer: after };
    });
  }

  /** The oldest first. */
  @Get()
  @Answers(200, accountPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof accountPage>> {
    const { limit, cursor, ...filters } = query;
    const position = readCursor('accounts', cursor, [positions.time, positions.id]);
    const [createdAt = '', id = ''] = position ?? [];
    const after = position === null ? null : { createdAt, id };
    return toPage(await this.accounts.list({ ...filters, after, limit }), {
      list: 'accounts',
      limit,
      position: (account) => [account.createdAt.toISOString(), account.id],
      view: viewAccount,
    });
  }

  @Get(':id')
  @Answers(200, accountView)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof accountView>> {
    return viewAccount(await this.accounts.find(id));
  }

  /** Only what is named changes, and only of the version that `If-Match` names. */
  @Patch(':id')
  @Answers(200, accountView)
  async change(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: accountChange }) { endsAt, ...change }: z.infer<typeof accountChange>,
  ): Promise<z.infer<typeof accountView>> {
    return this.changes.make(request, 'account.change', async (tx) => {
      const before = viewAccount(await this.accounts.lock(tx, id));
      requireMatch(request, before);
      const end = typeof endsAt === 'string' ? new Date(endsAt) : endsAt;
      const changed = this.agreements.change(id, { ...change, endsAt: end }, tx);
      const after = viewAccount(await meetable(change.plan, changed));
      return { subject: id, before, after, answer: after };
    });
  }

  /** For good: nothing is served from now on, its keys are dead, its last invoice is due. */
  @Post(':id/close')
  @Sensitive()
  @HttpCode(200)
  @Answers(200, accountView)
  async close(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof accountView>> {
    return this.changes.make(request, 'account.close', async (tx) => {
      const before = viewAccount(await this.accounts.lock(tx, id));
      const after = viewAccount(await this.agreements.close(id, tx));
      return { subject: id, before, after, answer: after };
    });
  }
}

/** A version that the plan does not have cannot be met: the request is wrong, not its address. */
async function meetable<T>(plan: PlanChoice | undefined, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (typeof plan === 'object' && isProblem(error) && error.code === 'plan/not-found') {
      throw invalid(`plan.version: the plan ${plan.slug} has no version ${plan.version ?? ''}`);
    }
    throw error;
  });
}
