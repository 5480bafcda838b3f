import { assetCodes, formatMoney, money, parseMoney } from '@keyfare/core/money';
import { isProblem, Problem } from '@keyfare/core/problem';
import { identifierText, nameText, noteText } from '@keyfare/core/text';
import type { Clock } from '@keyfare/core/time';
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
  requireMatch,
  requireScope,
  requireTag,
  Sensitive,
  Tagged,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Inject, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BreakService } from '../reconcile/break.service.js';
import type { Break } from '../reconcile/break-row.js';
import { breakView, settledPart, viewBreak } from '../reconcile/break-view.js';
import { commentView, eventView, evidenceOf, evidenceView, viewComment, viewEvent } from '../reconcile/case-view.js';
import { breakClasses } from '../reconcile/checks/check.js';
import { classesOf, resolutionKinds, severities } from '../reconcile/kinds.js';
import { clock } from '../tokens.js';
import { givenOf, walletNaming } from '../treasury/wallet-view.js';
import { type CaseChange, Resolutions } from './resolutions.js';

const breakQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(['open', 'resolved']).optional(),
  class: z.enum(breakClasses).optional(),
  severity: z.enum(severities).optional(),
  owner: nameText.optional(),
});
const partQuery = z.strictObject(pageQuery);
const breakPage = pageOf(breakView).meta({ id: 'BreakPage' });
const commentPage = pageOf(commentView).meta({ id: 'BreakCommentPage' });
const eventPage = pageOf(eventView).meta({ id: 'BreakEventPage' });

const ledgerCode = z.string().regex(/^[\x21-\x7e]{1,400}$/, 'must be the code of a ledger account');
const changeShape = {
  owner: nameText.nullable().optional(),
  resolution: noteText.nullable().optional(),
  kind: z.enum(resolutionKinds).optional(),
  correction: z.strictObject({ debit: ledgerCode, credit: ledgerCode, amount: z.string().max(80) }).optional(),
  /** With the kind `other-wallet`: what the wallet on the other side is to us: it gets a name, nothing is posted. */
  wallet: walletNaming.optional(),
  note: noteText.nullable().optional(),
  dueOn: z.iso
    .date()
    .regex(/^(?!0000)/)
    .nullable()
    .optional(),
};
const changeBody = z.strictObject(changeShape);
type ChangeBody = z.infer<typeof changeBody>;

const hasKindOfText = ({ kind, correction, resolution, wallet }: ChangeBody): boolean =>
  (kind === undefined || typeof resolution === 'string') &&
  (kind === 'correction') === (correction !== undefined) &&
  (wallet === undefined || kind === 'other-wallet');
const kindFault = {
  error:
    '`kind` goes with a text of `resolution`, `correction` with the kind of that name, `wallet` with `other-wallet`',
};

const breakChange = changeBody
  .refine((change) => Object.keys(change).length > 0, { error: 'must change something' })
  .refine(hasKindOfText, kindFault)
  .meta({
    id: 'BreakChange',
    description: '`resolution`: a text resolves the break, null opens it again. `kind` says what that posts.',
  });
const bulkChange = z
  .strictObject({
    changes: z
      .array(
        z
          .strictObject({ ...changeShape, id: identifierText, ifMatch: z.string().min(1).max(200) })
          .refine(hasKindOfText, kindFault),
      )
      .min(1)
      .max(100)
      .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, { error: 'must name each break once' }),
  })
  .meta({ id: 'BreakBulkChange' });
const bulkAnswer = z.object({ items: z.array(breakView) }).meta({ id: 'BreakBulkAnswer' });
const previewBody = z
  .strictObject({ kind: changeShape.kind.unwrap(), correction: changeShape.correction })
  .refine((body) => hasKindOfText({ ...body, resolution: '' }), kindFault)
  .meta({ id: 'BreakPreview' });
const previewView = z
  .object({
    /** Null where nothing would be posted. */
    posting: z
      .object({ asset: z.enum(assetCodes), amount: z.string(), debit: z.string(), credit: z.string() })
      .nullable(),
    /** Whether a second operator would have to approve it. */
    needsSecond: z.boolean(),
  })
  .meta({ id: 'BreakPosting' });
const newComment = z.strictObject({ text: noteText }).meta({ id: 'NewBreakComment' });

type View = z.infer<typeof breakView>;

/** What does not agree, and who looks into it. */
@ApiBearerAuth()
@Admin('breaks')
export class BreakController {
  constructor(
    private readonly changes: Changes,
    private readonly breaks: BreakService,
    private readonly resolutions: Resolutions,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The oldest first. */
  @Get()
  @ApiOkResponse({ standardSchema: breakPage })
  async list(@Query({ schema: breakQuery }) query: z.infer<typeof breakQuery>): Promise<z.infer<typeof breakPage>> {
    const { cursor, class: name, severity, ...rest } = query;
    const [after = null] = readCursor('breaks', cursor, [positions.id]) ?? [];
    const now = this.now();
    const weighing = severity === undefined ? undefined : classesOf(severity);
    const classes = name === undefined ? weighing : [name].filter((one) => weighing?.includes(one) !== false);
    return toPage(await this.breaks.list({ ...rest, classes, after }), {
      list: 'breaks',
      limit: query.limit,
      position: ({ id }) => [id],
      view: (found) => viewBreak(found, now),
    });
  }

  @Get(':id')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async find(@Param('id', idParam) id: string): Promise<View> {
    return viewBreak(await this.breaks.find(id), this.now());
  }

  /**
   * Only what is named changes, and only of the version that `If-Match` names. To resolve and to reopen takes `money`.
   */
  @Patch(':id')
  @Needs('write', 'money')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async change(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: breakChange }) change: z.infer<typeof breakChange>,
  ): Promise<View> {
    requireScopes(request, change);
    const read = readChange(change);
    return this.#change(request, id, {
      action: 'break.change',
      work: (tx, found) => this.resolutions.change(tx, found, read, operatorOf(request)),
    });
  }

  /** Up to a hundred at once: all of them, or none. Each says which version it is meant for. */
  @Post('bulk')
  @HttpCode(200)
  @Needs('write', 'money')
  @ApiOkResponse({ standardSchema: bulkAnswer })
  async bulk(
    @Req() request: FastifyRequest,
    @Body({ schema: bulkChange }) { changes }: z.infer<typeof bulkChange>,
  ): Promise<z.infer<typeof bulkAnswer>> {
    for (const change of changes) requireScopes(request, change);
    // In one order for all requests: in two they would wait for each other.
    const ordered = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return this.changes.make(request, 'break.change', async (tx) => {
      const parts: { subject: string; before: View; after: View }[] = [];
      for (const { id, ifMatch, ...change } of ordered) {
        parts.push(
          await named(id, async () => {
            const found = await this.breaks.lock(tx, id);
            const before = viewBreak(found, this.now());
            requireTag(ifMatch, settledPart(before));
            const changed = await this.resolutions.change(tx, found, readChange(change), operatorOf(request));
            return { subject: id, before, after: viewBreak(changed, this.now()) };
          }),
        );
      }
      const answer = { items: parts.map(({ after }) => after) };
      return { subject: 'breaks', before: null, after: answer, answer, parts };
    });
  }

  /** What a resolution of the kind would post; nothing changes. 409 `break/not-possible`. */
  @Post(':id/preview')
  @HttpCode(200)
  @Needs('read')
  @ApiOkResponse({ standardSchema: previewView })
  async preview(
    @Param('id', idParam) id: string,
    @Body({ schema: previewBody }) body: z.infer<typeof previewBody>,
  ): Promise<z.infer<typeof previewView>> {
    const { kind = 'no-posting', correction } = readChange(body);
    const found = await this.resolutions.preview(await this.breaks.find(id), { kind, correction });
    if (found === null) return { posting: null, needsSecond: false };
    const { asset, amount, debit, credit, needsSecond } = found;
    const posting = { asset, amount: formatMoney(money(asset, amount)), debit: debit.code, credit: credit.code };
    return { posting, needsSecond };
  }

  /** A second operator posts what one has proposed. */
  @Post(':id/approve')
  @Sensitive()
  @HttpCode(200)
  @Needs('money')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async approve(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<View> {
    return this.#change(request, id, {
      action: 'break.approve',
      work: (tx, found) => this.resolutions.approve(tx, found, operatorOf(request)),
    });
  }

  /** Takes a proposal back, one's own or another's. */
  @Post(':id/reject')
  @HttpCode(200)
  @Needs('money')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async reject(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<View> {
    return this.#change(request, id, {
      action: 'break.reject',
      work: (tx, found) => this.resolutions.reject(tx, found, operatorOf(request)),
    });
  }

  /** The oldest first. */
  @Get(':id/comments')
  @ApiOkResponse({ standardSchema: commentPage })
  async comments(
    @Param('id', idParam) id: string,
    @Query({ schema: partQuery }) { limit, cursor }: z.infer<typeof partQuery>,
  ): Promise<z.infer<typeof commentPage>> {
    const [after = null] = readCursor('break-comments', cursor, [positions.count]) ?? [];
    await this.breaks.find(id);
    return toPage(await this.breaks.comments(id, { after, limit }), {
      list: 'break-comments',
      limit,
      position: (comment) => [comment.id.toString()],
      view: viewComment,
    });
  }

  @Post(':id/comments')
  @HttpCode(200)
  @Needs('write')
  @ApiOkResponse({ standardSchema: commentView })
  async comment(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: newComment }) { text }: z.infer<typeof newComment>,
  ): Promise<z.infer<typeof commentView>> {
    return this.changes.make(request, 'break.comment', async (tx) => {
      await this.breaks.find(id, tx);
      const answer = viewComment(await this.breaks.comment(tx, id, { text, by: operatorOf(request) }));
      return { subject: id, before: null, after: answer, answer };
    });
  }

  /** What became of it, the oldest first: by operators, and by reconciliations, which have no operator. */
  @Get(':id/events')
  @ApiOkResponse({ standardSchema: eventPage })
  async events(
    @Param('id', idParam) id: string,
    @Query({ schema: partQuery }) { limit, cursor }: z.infer<typeof partQuery>,
  ): Promise<z.infer<typeof eventPage>> {
    const [after = null] = readCursor('break-events', cursor, [positions.count]) ?? [];
    await this.breaks.find(id);
    return toPage(await this.breaks.events(id, { after, limit }), {
      list: 'break-events',
      limit,
      position: (event) => [event.id.toString()],
      view: viewEvent,
    });
  }

  /** Where to look: what its keys name, with the paths of those that have one. */
  @Get(':id/evidence')
  @ApiOkResponse({ standardSchema: evidenceView })
  async evidence(@Param('id', idParam) id: string): Promise<z.infer<typeof evidenceView>> {
    return { items: evidenceOf(await this.breaks.find(id)) };
  }

  async #change(
    request: FastifyRequest,
    id: string,
    { action, work }: { action: string; work: (tx: Sql, found: Break) => Promise<Break> },
  ): Promise<View> {
    return this.changes.make(request, action, async (tx) => {
      const found = await this.breaks.lock(tx, id);
      const before = viewBreak(found, this.now());
      requireMatch(request, settledPart(before));
      const after = viewBreak(await work(tx, found), this.now());
      return { subject: id, before, after, answer: after };
    });
  }
}

function requireScopes(request: FastifyRequest, { resolution, owner, note, dueOn }: ChangeBody): void {
  if (resolution !== undefined) requireScope(request, 'money');
  if (owner !== undefined || note !== undefined || dueOn !== undefined) requireScope(request, 'write');
}

/** 400 `money/malformed`, and `request/invalid` for an amount of nothing. */
function readChange({ correction, wallet, ...rest }: ChangeBody): CaseChange {
  const change = { ...rest, ...(wallet !== undefined && { wallet: givenOf(wallet) }) };
  if (correction === undefined) return change;
  // Every asset of the books that a break can have counts in millionths.
  const { atomic: amount } = parseMoney('USD', correction.amount);
  if (amount === 0n) throw new Problem('request/invalid', 'The amount of a correction is more than zero.');
  return { ...change, correction: { ...correction, amount } };
}

/** A refusal says which of many it is about. */
async function named<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isProblem(error)) throw error;
    const { extensions, headers } = error;
    throw new Problem(error.code, `${id}: ${error.detail}`, { cause: error, extensions, headers });
  }
}
