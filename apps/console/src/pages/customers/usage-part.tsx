import { useMemo } from 'react';
import { type Plan, planName, usePlans } from '../../api/catalogue.js';
import { fromMicros, toMicros } from '../../format/money.js';
import { costOn } from '../../format/plan-cost.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Chart } from '../../ui/chart.js';
import { Select } from '../../ui/fields.js';
import { useFilters } from '../../ui/filters.js';
import { Section, Stat } from '../../ui/page.js';
import { PlanWords } from '../../ui/plan.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Count, Money } from '../../ui/values.js';
import type { Account } from './customers.js';
import { type MonthUsage, useMonths } from './months.js';

/** What the account used of what its plan includes, and what its month would have cost on each plan. */
export function UsagePart({ account }: { readonly account: Account }) {
  const months = useMonths(account.id);
  return (
    <Shown of={months} what="Reading its usage">
      {(all) => <Usage account={account} months={all} />}
    </Shown>
  );
}

function Usage({ account, months }: { readonly account: Account; readonly months: readonly MonthUsage[] }) {
  const { locale } = usePreferences();
  const now = months.at(-1);
  const { includedUnits, overage } = account.plan;
  const included = Number(includedUnits);
  const times = useMemo(() => months.map(({ month }) => Date.parse(`${month}-01T00:00:00Z`) / 1_000), [months]);
  const series = useMemo(
    () => [
      { label: 'Units used', values: months.map(({ used }) => Number(used)) },
      { label: 'Included in the plan of today', values: months.map(() => included) },
    ],
    [months, included],
  );
  const cost = costOn(account.plan, now?.used ?? '0');
  const share = included === 0 ? 0 : Number(now?.used ?? 0) / included;
  return (
    <>
      <div className="stats">
        <Stat
          label={`Used in ${formatMonth(now?.month ?? '1970-01', locale)}`}
          {...(share >= 1 && overage === 'reject'
            ? { tone: 'bad' }
            : share >= 0.8 && included > 0
              ? { tone: 'warn' }
              : {})}
        >
          <Count value={now?.used} />
        </Stat>
        <Stat label="Included">
          <Count value={includedUnits} />
        </Stat>
        <Stat label="Beyond it so far">
          <Count value={cost.unitsBeyond} />
        </Stat>
        <Stat label="Comes to, before tax, for a whole month">
          <Money amount={cost.total} asset="USD" />
        </Stat>
      </div>
      {included === 0 ? null : (
        <p>
          <label>
            Of what is included:{' '}
            <progress max={1} value={Math.min(1, share)}>
              {Math.round(share * 100)} %
            </progress>
          </label>
          {Math.round(share * 100)} % is used.
        </p>
      )}
      <Section title="Usage against the allowance">
        <Chart title="Units by month" unit="units" times={times} series={series} />
      </Section>
      <Comparison account={account} months={months} />
    </>
  );
}

interface Row {
  readonly plan: Plan;
  readonly cost: ReturnType<typeof costOn>;
  readonly difference: bigint;
}

function Comparison({ account, months }: { readonly account: Account; readonly months: readonly MonthUsage[] }) {
  const { locale } = usePreferences();
  const filters = useFilters();
  const plans = usePlans();
  const last = months.at(-2) ?? months.at(-1);
  const month = months.find((one) => one.month === filters.get('month')) ?? last;
  if (month === undefined) return null;
  return (
    <Section
      title="What it would have cost on each plan"
      actions={
        <Select
          label="Month"
          isLabelHidden
          value={month.month}
          onChange={(id) => filters.set({ month: id })}
          choices={months.toReversed().map((one) => ({ id: one.month, label: formatMonth(one.month, locale) }))}
        />
      }
    >
      <p className="muted">
        <Count value={month.used} /> units, the whole month on the plan, before tax.
      </p>
      <Shown of={plans} what="Reading the plans">
        {(all) => {
          const own = toMicros(costOn(account.plan, month.used).total);
          const rows = all
            .map((plan): Row => {
              const cost = costOn(plan, month.used);
              return { plan, cost, difference: toMicros(cost.total) - own };
            })
            .toSorted((one, other) => (one.difference < other.difference ? -1 : 1));
          return (
            <Table
              name="plans compared"
              columns={columnsOf(account)}
              list={wholeList(rows)}
              keyOf={({ plan }) => plan.id}
            />
          );
        }}
      </Shown>
    </Section>
  );
}

const columnsOf = (account: Account): readonly Column<Row>[] => [
  {
    title: 'Plan',
    text: ({ plan }) => planName(plan),
    cell: ({ plan }) => (
      <>
        {planName(plan)} {plan.id === account.plan.id ? <Badge state="its plan" tone="info" /> : null}
      </>
    ),
    width: 'minmax(10rem, 1fr)',
  },
  {
    title: 'Agreed',
    text: ({ plan }) => `${plan.monthlyPrice} ${plan.includedUnits} ${plan.overage}`,
    cell: ({ plan }) => <PlanWords plan={plan} />,
    width: 'minmax(22rem, 2.5fr)',
  },
  {
    title: 'Fee',
    text: ({ cost }) => cost.fee,
    cell: ({ cost }) => <Money amount={cost.fee} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Beyond',
    text: ({ cost }) => cost.overage,
    cell: ({ cost }) => <Money amount={cost.overage} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Total',
    text: ({ cost }) => cost.total,
    cell: ({ cost }) => <Money amount={cost.total} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Difference',
    text: ({ difference }) => fromMicros(difference),
    cell: ({ difference }) => <Money amount={fromMicros(difference)} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Units refused',
    text: ({ cost }) => cost.unitsRefused,
    cell: ({ cost }) => <Count value={cost.unitsRefused} />,
    isNumber: true,
    width: '7rem',
  },
];
