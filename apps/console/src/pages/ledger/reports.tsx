import type { paths } from '@keyfare/api-types/billing';
import { billing, ok } from '../../api/client.js';
import { column } from '../../ui/columns.js';
import type { Column } from '../../ui/table.js';

/** What a report may be asked with. */
export interface ReportQuery {
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly asOf?: string;
  readonly customer?: string;
  readonly by?: 'day' | 'settlement';
  readonly ethUsd?: string;
}

type Param = 'month' | 'range' | 'asOf' | 'customer' | 'by' | 'ethUsd';

export interface Report<Row> {
  readonly title: string;
  readonly says: string;
  readonly params: readonly Param[];
  readonly columns: readonly Column<Row>[];
  read(
    query: ReportQuery,
    cursor: string | undefined,
  ): Promise<{ readonly items: readonly Row[]; readonly next: string | null }>;
}

type RowOf<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': { items: readonly (infer Row)[] } } } } };
}
  ? Row
  : never;

const page = (cursor: string | undefined): { limit: string; cursor?: string } => ({
  limit: '200',
  ...(cursor === undefined ? {} : { cursor }),
});
const month = ({ month: of }: ReportQuery): { month?: string } => (of === undefined ? {} : { month: of });
const money = <Row extends { readonly asset: string }>(title: string, of: (row: Row) => string | null) =>
  column.money<Row>(title, of, ({ asset }) => asset);

const ageing: Report<RowOf<'/reports/ageing'>> = {
  title: 'Ageing of receivables',
  says: 'What each customer owes at the end of a day, by how long it is overdue.',
  params: ['asOf'],
  columns: [
    column.text('Customer', ({ name }) => name, 'minmax(12rem, 2fr)'),
    money('Not due yet', ({ notDue }) => notDue),
    money('1 to 30 days', ({ to30 }) => to30),
    money('31 to 60', ({ to60 }) => to60),
    money('61 to 90', ({ to90 }) => to90),
    money('More', ({ over90 }) => over90),
    money('In all', ({ total }) => total),
  ],
  read: async ({ asOf }, cursor) =>
    ok(
      billing.GET('/reports/ageing', {
        params: { query: { ...page(cursor), ...(asOf === undefined ? {} : { asOf }) } },
      }),
    ),
};

const revenue: Report<RowOf<'/reports/revenue'>> = {
  title: 'Revenue',
  says: 'Calls of a month by rail, product and customer.',
  params: ['month'],
  columns: [
    column.text('Rail', ({ rail }) => rail, '5rem'),
    column.text('Product', ({ product }) => product),
    column.text('Customer', ({ customerName, customer }) => customerName ?? customer, 'minmax(12rem, 2fr)'),
    column.count('Calls', ({ calls }) => calls),
    column.count('Units', ({ units }) => units),
    column.count('Included', ({ included }) => included),
    column.count('Beyond', ({ overage }) => overage),
    money('Amount', ({ amount }) => amount),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/revenue', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const revenueTiming: Report<RowOf<'/reports/revenue-timing'>> = {
  title: 'Earned and invoiced',
  says: 'What a month earned beside what it was invoiced, and what stands between.',
  params: ['month'],
  columns: [
    column.text('Account', ({ ledgerAccount }) => ledgerAccount, 'minmax(14rem, 2fr)'),
    money('Opening', ({ opening }) => opening),
    money('Earned', ({ earned }) => earned),
    money('Invoiced', ({ invoiced }) => invoiced),
    money('Closing', ({ closing }) => closing),
    money('Difference', ({ difference }) => difference),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/revenue-timing', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const dailyRevenue: Report<RowOf<'/reports/daily-revenue'>> = {
  title: 'Revenue by day',
  says: 'The same by day.',
  params: ['range'],
  columns: [
    column.day('Day', ({ day }) => day),
    column.text('Rail', ({ rail }) => rail, '5rem'),
    column.text('Product', ({ product }) => product),
    column.text('Customer', ({ customer }) => customer, 'minmax(12rem, 2fr)'),
    column.count('Calls', ({ calls }) => calls),
    column.count('Units', ({ units }) => units),
    money('Amount', ({ amount }) => amount),
  ],
  read: async ({ month: of, from, to }, cursor) =>
    ok(
      billing.GET('/reports/daily-revenue', {
        params: {
          query: {
            ...page(cursor),
            ...(of === undefined ? {} : { month: of }),
            ...(from === undefined || to === undefined ? {} : { from, to }),
          },
        },
      }),
    ),
};

const callers: Report<RowOf<'/reports/callers'>> = {
  title: 'Callers',
  says: 'Who called in a month, and the plan on which a wallet would have paid less.',
  params: ['month'],
  columns: [
    column.text('Segment', ({ segment }) => segment, '7rem'),
    column.id('Caller', ({ caller }) => caller, 'minmax(12rem, 2fr)'),
    column.count('Calls', ({ calls }) => calls),
    column.count('Units', ({ units }) => units),
    column.money(
      'Spent',
      ({ spent }) => spent,
      ({ asset }) => asset,
    ),
    column.text('Cheaper plan', ({ cheaperPlan }) => cheaperPlan),
    column.money(
      'On it',
      ({ planCost }) => planCost,
      () => 'USD',
    ),
    column.money(
      'Saves',
      ({ saving }) => saving,
      () => 'USD',
    ),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/callers', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const statement: Report<RowOf<'/reports/statement'>> = {
  title: 'Statement of a customer',
  says: 'What one customer owed, was invoiced and paid, with the balance after each.',
  params: ['customer', 'range'],
  columns: [
    column.moment('When', ({ at }) => at),
    column.state('What', ({ kind }) => kind),
    column.text('Document', ({ document }) => document, 'minmax(10rem, 2fr)'),
    money('Amount', ({ amount }) => amount),
    money('Balance', ({ balance }) => balance),
  ],
  read: async ({ customer = '', month: of, from, to }, cursor) =>
    ok(
      billing.GET('/reports/statement', {
        params: {
          query: {
            ...page(cursor),
            customer,
            ...(of === undefined ? {} : { month: of }),
            ...(from === undefined || to === undefined ? {} : { from, to }),
          },
        },
      }),
    ),
};

export const bookReports = {
  ageing,
  revenue,
  'revenue-timing': revenueTiming,
  'daily-revenue': dailyRevenue,
  callers,
  statement,
};
export { money, month, page, type RowOf };
