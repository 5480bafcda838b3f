import type { Sql } from '@keyfare/db/sql';
import {
  Changes,
  idParam,
  Needs,
  type Page,
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
import { MasterData, type MasterTable } from './master-data.js';
import { viewOf } from './views.js';

type View = z.ZodType<{ readonly id: string }>;
type Given = z.ZodType<Readonly<Record<string, unknown>>>;

interface Shape<V extends View, R extends Given> {
  readonly table: MasterTable;
  /** The name of its page in the API's document. */
  readonly page: string;
  /** What its list is called in cursors, and one of it in the audit log. */
  readonly list: string;
  readonly one: string;
  readonly view: V;
  readonly request: R;
}

/**
 * The routes that every table of master data has: its list, one of it, and a new one. A controller extends them under
 * its own path, and says in `prepare` what has to be so before a row is written.
 */
export function masterRoutes<V extends View, R extends Given>({
  table,
  page: name,
  list,
  one,
  view,
  request,
}: Shape<V, R>) {
  const page = pageOf(view).meta({ id: name });
  const query = z.strictObject(pageQuery);

  @ApiBearerAuth()
  class MasterRoutes {
    constructor(
      readonly changes: Changes,
      readonly data: MasterData,
    ) {}

    /** In the order in which they were made. */
    @Get()
    @ApiOkResponse({ standardSchema: page })
    async list(@Query({ schema: query }) { cursor, limit }: z.infer<typeof query>): Promise<Page<z.infer<V>>> {
      const [after = null] = readCursor(list, cursor, [positions.id]) ?? [];
      return toPage(await this.data.list(table, { after, limit }), {
        list,
        limit,
        position: ({ id }) => [id],
        view: (row) => viewOf(view, row),
      });
    }

    @Get(':id')
    @ApiOkResponse({ standardSchema: view })
    async find(@Param('id', idParam) id: string): Promise<z.infer<V>> {
      return viewOf(view, await this.data.find(table, id));
    }

    @Post()
    @Needs('money')
    @ApiCreatedResponse({ standardSchema: view })
    async add(@Req() asked: FastifyRequest, @Body({ schema: request }) given: z.infer<R>): Promise<z.infer<V>> {
      return this.changes.make(asked, `${one}.create`, async (tx) => {
        await this.prepare(tx, { given, before: null });
        const after = viewOf(view, await this.data.add(tx, table, given));
        return { subject: after.id, before: null, after, answer: after };
      });
    }

    /** Throws what keeps a row from being written; `before` is null of a new one. Within the change. */
    async prepare(_tx: Sql, _row: { readonly given: object; readonly before: z.infer<V> | null }): Promise<void> {}
  }
  return MasterRoutes;
}

/** The same, and changes of what there is. */
export function changeableRoutes<V extends View, R extends Given, C extends Given>(
  shape: Shape<V, R> & { readonly change: C },
) {
  const { table, one, view, change } = shape;

  class ChangeableRoutes extends masterRoutes(shape) {
    /** Only what is named changes, and only of the version that `If-Match` names. */
    @Patch(':id')
    @Needs('money')
    @ApiOkResponse({ standardSchema: view })
    async change(
      @Req() asked: FastifyRequest,
      @Param('id', idParam) id: string,
      @Body({ schema: change }) given: z.infer<C>,
    ): Promise<z.infer<V>> {
      return this.changes.make(asked, `${one}.change`, async (tx) => {
        const before = viewOf(view, await this.data.find(table, id, tx, true));
        requireMatch(asked, before);
        await this.prepare(tx, { given, before });
        const after = viewOf(view, await this.data.change(tx, table, id, given));
        return { subject: id, before, after, answer: after };
      });
    }
  }
  return ChangeableRoutes;
}
