import { Problem } from '@keyfare/core/problem';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  requireMatch,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, Param, Patch, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MasterData } from './master-data.js';
import { changes as bodies, requests, viewOf, views } from './views.js';

const view = views.contract;
const page = pageOf(view).meta({ id: 'ContractPage' });
const query = z.strictObject(pageQuery);
const request = requests.contract;
const change = bodies.contract;

/** Which customer an account is invoiced to, by whom, and when. */
@ApiBearerAuth()
@Admin('contracts')
export class ContractController {
  constructor(
    private readonly changes: Changes,
    private readonly data: MasterData,
  ) {}

  /** In the order in which they were made. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [after = null] = readCursor('contracts', cursor, [positions.id]) ?? [];
    return toPage(await this.data.list('contract', { after, limit }), {
      list: 'contracts',
      limit,
      position: ({ id }) => [id],
      view: (row) => viewOf(view, row),
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(view, await this.data.find('contract', id));
  }

  @Post()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'contract.create', async (tx) => {
      const { account, startsAt, endsAt, customerId, sellerId } = given;
      await this.data.find('customer', customerId, tx);
      await this.data.find('seller', sellerId, tx);
      const time = { startsAt: new Date(startsAt), endsAt: endsAt === null ? null : new Date(endsAt) };
      await this.data.requireFree(tx, { account, ...time });
      const after = viewOf(view, await this.data.add(tx, 'contract', given));
      return { subject: after.id, before: null, after, answer: after };
    });
  }

  /** Only what is named changes, and only of the version that `If-Match` names. */
  @Patch(':id')
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async change(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: change }) given: z.infer<typeof change>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'contract.change', async (tx) => {
      const before = viewOf(view, await this.data.find('contract', id, tx, true));
      requireMatch(asked, before);
      if (given.endsAt !== null && given.endsAt <= before.startsAt) {
        throw new Problem('contract/conflict', 'The contract would end before it starts.');
      }
      const time = {
        startsAt: new Date(before.startsAt),
        endsAt: given.endsAt === null ? null : new Date(given.endsAt),
      };
      await this.data.requireFree(tx, { account: before.account, ...time, except: id });
      const after = viewOf(view, await this.data.change(tx, 'contract', id, given));
      return { subject: id, before, after, answer: after };
    });
  }
}
