import { formatMoney, money } from '@keyfare/core/money';
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
  toPage,
} from '@keyfare/gate/operators';
import { Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readingKinds, readingStates } from '../treasury/gas-reading.entity.js';
import { type GasReading, GasReadings } from './gas-readings.js';

const view = z
  .object({
    id: z.string(),
    network: z.string(),
    wallet: z.string(),
    block: z.string(),
    blockTime: z.iso.datetime(),
    /** What the wallet held after the block, and what the books say: decimals of ETH. */
    balance: z.string(),
    booked: z.string(),
    difference: z.string(),
    /** `proposed` waits for an operator; `superseded` by a later reading. */
    state: z.enum(readingStates),
    /** More than the books say is a `top-up`, less is `other-gas`: what failed, or was no settlement. */
    kind: z.enum(readingKinds).nullable(),
    takenAt: z.iso.datetime(),
    decidedBy: z.string().nullable(),
    decidedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'GasReading' });
const page = pageOf(view).meta({ id: 'GasReadingPage' });
const taken = z.object({ items: z.array(view) }).meta({ id: 'GasReadings' });
const query = z.strictObject(pageQuery);
const uuid = positions.text.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** What the wallets that pay for gas hold, and what explains it. */
@ApiBearerAuth()
@Admin('gas-readings')
export class GasReadingController {
  constructor(
    private readonly changes: Changes,
    private readonly readings: GasReadings,
  ) {}

  /** The newest first. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [block, id] = readCursor('gas-readings', cursor, [positions.count, uuid]) ?? [];
    const after = block === undefined || id === undefined ? null : ([block, id] as const);
    return toPage(await this.readings.list({ after, limit }), {
      list: 'gas-readings',
      limit,
      position: (reading) => [reading.blockNumber.toString(), reading.id],
      view: viewOf,
    });
  }

  /** Reads each settler now, at the last final block; one that was read at that block is not in the answer. */
  @Post()
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: taken })
  async take(@Req() asked: FastifyRequest): Promise<z.infer<typeof taken>> {
    // The chain is asked before the change is made: no question to it within a transaction.
    const items = (await this.readings.take()).map(viewOf);
    return this.changes.make(asked, 'gas-reading.take', async () => {
      const answer = { items };
      return { subject: 'gas-readings', before: null, after: answer, answer };
    });
  }

  /** The difference is what the reading takes it for, and is posted. */
  @Post(':id/accept')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async accept(@Req() asked: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'gas-reading.accept', async (tx) => {
      const { before, after } = await this.readings.accept(tx, id, operatorOf(asked).name);
      return { subject: id, before: viewOf(before), after: viewOf(after), answer: viewOf(after) };
    });
  }
}

function viewOf({
  blockNumber,
  blockTime,
  balance,
  booked,
  takenAt,
  decidedAt,
  ...rest
}: GasReading): z.infer<typeof view> {
  return {
    ...rest,
    block: blockNumber.toString(),
    blockTime: blockTime.toISOString(),
    balance: eth(balance),
    booked: eth(booked),
    difference: eth(balance - booked),
    takenAt: takenAt.toISOString(),
    decidedAt: decidedAt?.toISOString() ?? null,
  };
}

function eth(wei: bigint): string {
  return formatMoney(money('ETH', wei));
}
