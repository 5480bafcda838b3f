import {
  Admin,
  Changes,
  idParam,
  Needs,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MasterData } from './master-data.js';
import { requests, viewOf, views } from './views.js';

const view = views.taxRate;
const page = pageOf(view).meta({ id: 'TaxRatePage' });
const query = z.strictObject(pageQuery);
const request = requests.taxRate;

/** The rates of tax. One is never changed: the next has its own day. */
@ApiBearerAuth()
@Admin('tax-rates')
export class TaxRateController {
  constructor(
    private readonly changes: Changes,
    private readonly data: MasterData,
  ) {}

  /** In the order in which they were made. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<z.infer<typeof page>> {
    const [after = null] = readCursor('tax-rates', cursor, [positions.id]) ?? [];
    return toPage(await this.data.list('tax_rate', { after, limit }), {
      list: 'tax-rates',
      limit,
      position: ({ id }) => [id],
      view: (row) => viewOf(view, row),
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(view, await this.data.find('tax_rate', id));
  }

  @Post()
  @Needs('money')
  @ApiCreatedResponse({ standardSchema: view })
  async add(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) given: z.infer<typeof request>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'tax-rate.create', async (tx) => {
      const after = viewOf(view, await this.data.add(tx, 'tax_rate', given));
      return { subject: after.id, before: null, after, answer: after };
    });
  }
}
