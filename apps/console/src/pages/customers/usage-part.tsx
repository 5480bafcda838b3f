import { useMemo } from 'react';
import { useRead } from '../../api/hooks.js';
import { byDay, type LineOfUse } from '../../format/by-day.js';
import { costOn } from '../../format/plan-cost.js';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { useAddress } from '../../ui/address.js';
import { Chart } from '../../ui/chart.js';
import { Select } from '../../ui/fields.js';
import { Exports, Section, Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Count, Money } from '../../ui/values.js';
import type { Account } from './customers.js';
import { readDays } from './days.js';
import { type MonthUsage, useMonths } from './months.js';
import { PlanComparison } from './plan-comparison.js';

/** What the account used of what its plan includes, and what its month would have cost on each plan. */
export function UsagePart({ account }: { readonly account: Account }) {
  const months = useMonths(account.id);
  return (
    <Shown of={months} what="Reading its usage">
      {(all) => <Usage account={account} months={all} />}
    </Shown>
  );
}

interface UsageProps {
  readonly account: Account;
  readonly months: readonly MonthUsage[];
}

const unfiltered = { month: '' };

function Usage({ account, months }: UsageProps) {
  const { locale } = usePreferences();
  const [filters, setFilters] = useAddress(unfiltered);
  const month = months.find((one) => one.month === filters.month) ?? months.at(-1);
  if (month === undefined) return null;
  return (
    <>
      <div className="filters">
        <Select
          label="Month"
          value={month.month}
          onChange={(id) => setFilters({ month: id })}
          choices={months.toReversed().map((one) => ({ id: one.month, label: formatMonth(one.month, locale) }))}
        />
      </div>
      <Figures account={account} month={month} />
      <Days account={account} month={month.month} />
      <Section title="The last twelve months">
        <Months account={account} months={months} />
      </Section>
      <PlanComparison account={account.id} month={month.month} />
    </>
  );
}

/** A plan that refuses what is beyond it is spent at the end of its units; another one goes on. */
function toneOf(share: number, { overage }: Account['plan']): { readonly tone?: 'bad' | 'warn' } {
  if (share >= 1 && overage === 'reject') return { tone: 'bad' };
  return share >= 0.8 ? { tone: 'warn' } : {};
}

function Figures({ account, month: { month, used } }: { readonly account: Account; readonly month: MonthUsage }) {
  const { locale } = usePreferences();
  const { includedUnits } = account.plan;
  const included = Number(includedUnits);
  const share = included === 0 ? 0 : Number(used) / included;
  const cost = costOn(account.plan, used);
  return (
    <>
      <div className="stats">
        <Stat label={`Units used in ${formatMonth(month, locale)}`} {...toneOf(share, account.plan)}>
          <Count value={used} />
        </Stat>
        <Stat label="Included in the plan of today">
          <Count value={includedUnits} />
        </Stat>
        <Stat label="Beyond it">
          <Count value={cost.unitsBeyond} />
        </Stat>
        <Stat label="A whole month of it on the plan of today, before tax">
          <Money amount={cost.total} asset="USD" />
        </Stat>
      </div>
      {included === 0 ? null : (
        <p>
          <label>
            {Math.round(share * 100)} % of what is included is used:{' '}
            <progress max={1} value={Math.min(1, share)}>
              {Math.round(share * 100)} %
            </progress>
          </label>
        </p>
      )}
    </>
  );
}

function Days({ account, month }: { readonly account: Account; readonly month: string }) {
  const days = useRead(['usage', account.id, month], async () => readDays(account.id, month));
  return (
    <Section
      title="Usage against the allowance, by day"
      actions={<Exports path="/reports/usage" query={{ account: account.id, month }} />}
    >
      <Shown of={days} what="Reading its days">
        {(lines) => <DayChart lines={lines} month={month} included={Number(account.plan.includedUnits)} />}
      </Shown>
    </Section>
  );
}

interface DayChartProps {
  readonly lines: readonly LineOfUse[];
  readonly month: string;
  readonly included: number;
}

function DayChart({ lines, month, included }: DayChartProps) {
  const days = useMemo(() => byDay(lines, month), [lines, month]);
  const series = useMemo(
    () => [
      { label: 'Units of the day', values: days.map(({ units }) => units) },
      { label: 'Units of the month so far', values: days.map(({ total }) => total) },
      { label: 'Included in the plan of today', values: days.map(() => included) },
    ],
    [days, included],
  );
  const times = useMemo(() => days.map(({ at }) => at), [days]);
  return <Chart title="Units by day, as the books have them" unit="units" times={times} series={series} />;
}

function Months({ account, months }: UsageProps) {
  const included = Number(account.plan.includedUnits);
  const times = useMemo(() => months.map(({ month }) => Date.parse(`${month}-01T00:00:00Z`) / 1_000), [months]);
  const series = useMemo(
    () => [
      { label: 'Units used', values: months.map(({ used }) => Number(used)) },
      { label: 'Included in the plan of today', values: months.map(() => included) },
    ],
    [months, included],
  );
  return <Chart title="Units by month, as the API counts them" unit="units" times={times} series={series} />;
}
