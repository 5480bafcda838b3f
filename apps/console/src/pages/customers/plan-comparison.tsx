import { largestPart, readAll } from '../../api/all.js';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Exports, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Count, Money } from '../../ui/values.js';

const readPart = async (account: string, month: string, cursor: string | undefined) =>
  ok(
    billing.GET('/reports/plan-comparison', {
      params: { query: { account, month, limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
    }),
  );

type Line = Awaited<ReturnType<typeof readPart>>['items'][number];

interface PlanComparisonProps {
  readonly account: string;
  readonly month: string;
}

/** What a month of an account would have cost on the plans that are agreed with anybody, the cheapest first. */
export function PlanComparison({ account, month }: PlanComparisonProps) {
  const { locale } = usePreferences();
  const compared = useRead(['plan-comparison', account, month], async () =>
    readAll(async (cursor) => readPart(account, month, cursor)),
  );
  return (
    <Section
      title={`What ${formatMonth(month, locale)} would have cost on each plan`}
      actions={<Exports path="/reports/plan-comparison" query={{ account, month }} />}
    >
      <p className="muted">Its real units, the whole month on the plan, before tax.</p>
      <Shown of={compared} what="Comparing plans">
        {({ items }) => (
          <Table
            name="plans compared"
            columns={columns}
            list={wholeList(items)}
            keyOf={({ plan, version, standing }) => `${plan} ${version} ${standing}`}
            empty="Nobody had agreed to a plan by the end of that month."
          />
        )}
      </Shown>
    </Section>
  );
}

const fates = { refused: 'refused', invoiced: 'on the invoice', 'paid-by-wallet': 'paid by wallet' } as const;

const money = (title: string, read: (line: Line) => string | null): Column<Line> => ({
  title,
  text: (line) => read(line) ?? '',
  cell: (line) => <Money amount={read(line)} asset="USD" />,
  isNumber: true,
});

const count = (title: string, read: (line: Line) => string): Column<Line> => ({
  title,
  text: read,
  cell: (line) => <Count value={read(line)} />,
  isNumber: true,
  width: '7rem',
});

const columns: readonly Column<Line>[] = [
  {
    title: 'Plan',
    text: ({ plan, version }) => `${plan} v${version}`,
    cell: ({ plan, version, standing }) => (
      <>
        {plan} v{version} {standing === 'current' ? <Badge state="its own" tone="info" /> : null}
      </>
    ),
    width: 'minmax(11rem, 1.5fr)',
  },
  money('Total', ({ total }) => total),
  money('Difference', ({ difference }) => difference),
  money('A month', ({ monthlyPrice }) => monthlyPrice),
  money('Beyond', ({ overage }) => overage),
  count('Units', ({ units }) => units),
  count('Included', ({ included }) => included),
  count('Beyond it', ({ beyond }) => beyond),
  { title: 'Those are', text: ({ beyondIs }) => fates[beyondIs], width: '9rem' },
];
