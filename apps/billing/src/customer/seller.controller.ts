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

const view = views.seller;
const page = pageOf(view).meta({ id: 'SellerPage' });
const query = z.strictObject(pageQuery);
const request = requests.seller;
const change = bodies.seller;

/** Who invoices. */
@ApiBearerAuth()
@Admin('sellers')
export class SellerController {
  constructor(
    private readonly changes: Changes,
    private readonly data: MasterData,
  ) {}

  /** In the order in which they were made. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [after = null] = readCursor('sellers', cursor, [positions.id]) ?? [];
    return toPage(await this.data.list('seller', { after, limit }), {
      list: 'sellers',
      limit,
      position: ({ id }) => [id],
      view: (row) => viewOf(view, row),
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(view, await this.data.find('seller', id));
  }

  @Post()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'seller.create', async (tx) => {
      const after = viewOf(view, await this.data.add(tx, 'seller', given));
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
    return this.changes.make(asked, 'seller.change', async (tx) => {
      const before = viewOf(view, await this.data.find('seller', id, tx, true));
      requireMatch(asked, before);
      const after = viewOf(view, await this.data.change(tx, 'seller', id, given));
      return { subject: id, before, after, answer: after };
    });
  }
}
