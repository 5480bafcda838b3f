import type { components } from '@keyfare/api-types/billing';
import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Moment } from '../../ui/values.js';

type Month = components['schemas']['MonthSummary'];

/** The months of the books. */
export function Months() {
  const { locale } = usePreferences();
  const [, navigate] = useLocation();
  const columns: readonly Column<Month>[] = [
    {
      title: 'Month',
      text: ({ month }) => month,
      cell: ({ month }) => formatMonth(month, locale),
      width: 'minmax(9rem, 1fr)',
    },
    {
      title: 'State',
      text: ({ state }) => state,
      cell: ({ state }) => <Badge state={state} tone={state === 'locked' ? 'good' : 'plain'} />,
      width: '6rem',
    },
    {
      title: 'Locked',
      text: ({ lockedAt }) => lockedAt ?? '',
      cell: ({ lockedAt }) => <Moment at={lockedAt} />,
      width: 'minmax(9rem, 1fr)',
    },
  ];
  const list = useEndless(['months'], async (cursor) =>
    ok(billing.GET('/months', { params: { query: cursor === undefined ? {} : { cursor } } })),
  );
  return (
    <Section title="Months">
      <Table
        name="months"
        columns={columns}
        list={list}
        keyOf={({ month }) => month}
        onOpen={({ month }) => navigate(`/reconciliation/months/${month}`)}
        empty="The books have no month yet."
      />
    </Section>
  );
}
