import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Admin, Changes, idParam, Needs, operatorOf, pageOf, pageQuery, readCursor, toPage } from '../operators.js';
import { type RefundRow, RefundService, refundStates } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';

const person = z.object({ id: z.string(), name: z.string() });
const refundView = z
  .object({
    /** The entry `refund-due` that it pays. */
    entry: z.uuid(),
    network: z.string(),
    asset: z.string(),
    /** Who gets it back. */
    payer: z.string(),
    /** In the asset's smallest unit. */
    amount: z.string(),
    /** `approved` is being sent; `settled` is in a block, `final` for good. `credited` is not paid: see billing. */
    state: z.enum(refundStates),
    proposedBy: person,
    proposedAt: z.iso.datetime(),
    decidedBy: person.nullable(),
    decidedAt: z.iso.datetime().nullable(),
    transaction: z.string().nullable(),
    /** Why the last attempt did not move it: it is tried again. */
    failure: z.string().nullable(),
  })
  .meta({ id: 'Refund' });
const refundPage = pageOf(refundView).meta({ id: 'RefundPage' });
const refundList = z.object({ items: z.array(refundView) }).meta({ id: 'Refunds' });
const query = z.strictObject({ ...pageQuery, state: z.enum(refundStates).optional() });
const proposal = z
  .strictObject({
    entries: z
      .array(z.uuid().transform((id) => id.toLowerCase()))
      .min(1)
      .max(100)
      .refine((all) => new Set(all).size === all.length, { error: 'must name each entry once' }),
  })
  .meta({ id: 'RefundProposal' });

type View = z.infer<typeof refundView>;

/** What is owed back to payers, and is paid when two operators say so. */
@Free()
@Admin('admin/refunds')
export class RefundsController {
  constructor(
    private readonly changes: Changes,
    private readonly refunds: RefundService,
  ) {}

  /** Those of the newest entries first. */
  @Get()
  @Answers(200, refundPage)
  async list(
    @Query({ schema: query }) { cursor, ...rest }: z.infer<typeof query>,
  ): Promise<z.infer<typeof refundPage>> {
    const [after = null] = readCursor('refunds', cursor, [z.uuid()]) ?? [];
    return toPage(await this.refunds.list({ ...rest, after }), {
      list: 'refunds',
      limit: rest.limit,
      position: (row) => [row.entry_id],
      view: viewRefund,
    });
  }

  @Get(':id')
  @Answers(200, refundView)
  async find(@Param('id', idParam) id: string): Promise<View> {
    return viewRefund(await this.refunds.find(entryOf(id)));
  }

  /** Proposes to pay what these entries say is owed: all of them, or none. */
  @Post()
  @Needs('money')
  @Answers(201, refundList)
  async propose(
    @Req() request: FastifyRequest,
    @Body({ schema: proposal }) { entries }: z.infer<typeof proposal>,
  ): Promise<z.infer<typeof refundList>> {
    return this.changes.make(request, 'refund.propose', async (tx) => {
      const items: View[] = [];
      // In one order for all requests: in two they would wait for each other.
      for (const id of entries.toSorted()) {
        items.push(viewRefund(await this.refunds.propose(tx, id, operatorOf(request))));
      }
      const parts = items.map((after) => ({ subject: after.entry, before: null, after }));
      return { subject: 'refunds', before: null, after: { items }, answer: { items }, parts };
    });
  }

  /** Another operator than the one who proposed it. The money is sent at once, and once. */
  @Post(':id/approve')
  @HttpCode(200)
  @Needs('money')
  @Answers(200, refundView)
  async approve(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<View> {
    return this.#decide(request, { id, action: 'refund.approve' }, (tx, found) =>
      this.refunds.approve(tx, found, operatorOf(request)),
    );
  }

  /** Takes a proposal back, one's own or another's. */
  @Post(':id/reject')
  @HttpCode(200)
  @Needs('money')
  @Answers(200, refundView)
  async reject(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<View> {
    return this.#decide(request, { id, action: 'refund.reject' }, (tx, found) =>
      this.refunds.reject(tx, found, operatorOf(request)),
    );
  }

  /** It became credit of a customer, as billing says when it makes it so: no refund of it can be proposed any more. */
  @Post(':id/credit')
  @HttpCode(200)
  @Needs('money')
  @Answers(200, refundView)
  async credit(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<View> {
    return this.changes.make(request, 'refund.credit', async (tx) => {
      const after = viewRefund(await this.refunds.credit(tx, entryOf(id), operatorOf(request)));
      return { subject: after.entry, before: null, after, answer: after };
    });
  }

  async #decide(
    request: FastifyRequest,
    { id, action }: { readonly id: string; readonly action: string },
    decide: (tx: Sql, found: RefundRow) => Promise<RefundRow>,
  ): Promise<View> {
    return this.changes.make(request, action, async (tx) => {
      const found = await this.refunds.find(entryOf(id), tx, true);
      const after = viewRefund(await decide(tx, found));
      return { subject: after.entry, before: viewRefund(found), after, answer: after };
    });
  }
}

function entryOf(id: string): string {
  if (!z.uuid().safeParse(id).success) throw new Problem('refund/not-found');
  return id;
}

function viewRefund(row: RefundRow): View {
  const { decided_by: decidedBy, decided_name: decidedName } = row;
  return {
    entry: row.entry_id,
    network: row.network,
    asset: row.asset,
    payer: row.payer,
    amount: row.amount,
    state: row.state,
    proposedBy: { id: row.proposed_by, name: row.proposed_name },
    proposedAt: row.proposed_at.toISOString(),
    decidedBy: decidedBy === null ? null : { id: decidedBy, name: decidedName ?? decidedBy },
    decidedAt: row.decided_at?.toISOString() ?? null,
    transaction: row.transaction,
    failure: row.failure,
  };
}
