import type { components } from '@keyfare/api-types/billing';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { sumMoney } from '../../format/money.js';
import { Chart } from '../../ui/chart.js';
import { Page, Section, Stat } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { Badge, Count, Moment, Money } from '../../ui/values.js';
import { Health } from './health.js';
import { balanceOf, seriesOf } from './series.js';

export type Overview = components['schemas']['Overview'];

const everyMs = 30_000;

/** What finance and operators look at first; each number leads to its list. */
export default function Today() {
  const overview = useRead(['overview'], async () => ok(billing.GET('/overview')), { everyMs });
  return (
    <Page title="Today">
      <Shown of={overview}>
        {(read) => (
          <>
            <p className="muted">
              As of <Moment at={read.asOf} />
            </p>
            <MoneyStats of={read} />
            <Revenue of={read} />
            <div className="columns">
              <Breaks of={read} />
              <Allowances of={read} />
            </div>
          </>
        )}
      </Shown>
      <Health />
    </Page>
  );
}

function MoneyStats({ of: { days, balances, proposals } }: { readonly of: Overview }) {
  const last = days.filter(({ day }) => day === new Date().toISOString().slice(0, 10));
  const calls = days.reduce((sum, day) => sum + BigInt(day.calls), 0n);
  return (
    <div className="stats">
      <Stat label="Calls today" href="/ledger/reports/daily-revenue">
        <Count value={last.reduce((sum, day) => sum + BigInt(day.calls), 0n).toString()} />
      </Stat>
      <Stat label="Calls in 30 days" href="/ledger/reports/daily-revenue">
        <Count value={calls.toString()} />
      </Stat>
      <Stat label="Not invoiced yet" href="/invoices">
        <Money amount={balanceOf(balances, ['unbilled-receivable'], 'USD')} asset="USD" />
      </Stat>
      <Stat label="Invoiced, unpaid" href="/ledger/reports/ageing">
        <Money amount={balanceOf(balances, ['receivable'], 'USD')} asset="USD" />
      </Stat>
      <Stat label="Settled in the tills" href="/ledger">
        <Tokens of={balances} kinds={['usdc', 'eurc']} />
      </Stat>
      <Stat label="Sold, not settled" href="/payments">
        <Tokens
          of={balances}
          kinds={['x402-receivable', 'deferred-receivable', 'x402-receivable-eurc', 'deferred-receivable-eurc']}
        />
      </Stat>
      <Stat label="Refunds due" href="/ledger/reports/refunds">
        <Tokens of={balances} kinds={['refunds-due', 'refunds-due-eurc']} sign={-1n} />
      </Stat>
      <Stat label="Wait for a second person" href="/reconciliation" {...(proposals > 0 ? { tone: 'warn' } : {})}>
        <Count value={proposals} />
      </Stat>
    </div>
  );
}

interface TokensProps {
  readonly of: Overview['balances'];
  readonly kinds: readonly string[];
  readonly sign?: 1n | -1n;
}

/** What stands there of each token; USDC also where it is nothing. */
const Tokens = ({ of, kinds, sign = 1n }: TokensProps) => (
  <>
    {(['USDC', 'EURC'] as const).map((asset) => {
      const amount = balanceOf(of, kinds, asset, sign);
      return asset === 'EURC' && /^0\.0+$/.test(amount) ? null : (
        <div key={asset}>
          <Money amount={amount} asset={asset} />
        </div>
      );
    })}
  </>
);

function Revenue({ of: { days, asOf } }: { readonly of: Overview }) {
  const { times, calls, amounts } = useMemo(() => seriesOf(days, asOf), [days, asOf]);
  const byRail = (['key', 'x402'] as const).map((rail) => {
    const rows = days.filter((day) => day.rail === rail);
    const assets = [...new Set(rows.map(({ asset }) => asset))];
    return {
      rail,
      sums: assets.map((asset) => ({
        asset,
        amount: sumMoney(rows.filter((row) => row.asset === asset).map(({ amount }) => amount)),
      })),
    };
  });
  return (
    <Section title="Revenue in thirty days">
      <p>
        {byRail.map(({ rail, sums }) => (
          <span key={rail} className="rail">
            <Link href="/ledger/reports/revenue">{rail === 'key' ? 'By key' : 'By wallet (x402)'}</Link>:{' '}
            {sums.length === 0
              ? 'nothing'
              : sums.map(({ asset, amount }) => <Money key={asset} amount={amount} asset={asset} />)}{' '}
          </span>
        ))}
      </p>
      {days.length === 0 ? (
        <Empty>Nothing was sold in the last thirty days.</Empty>
      ) : (
        <div className="columns">
          <Chart title="Revenue by day" unit="USD, USDC, EURC" times={times} series={amounts} />
          <Chart title="Calls by day" unit="calls" times={times} series={calls} />
        </div>
      )}
    </Section>
  );
}

const ages = [
  ['day', 'under a day'],
  ['week', 'under a week'],
  ['month', 'under 30 days'],
  ['older', 'older'],
] as const;

function Breaks({ of: { breaks } }: { readonly of: Overview }) {
  const count = (severity: string, age: string): number =>
    breaks.find((row) => row.severity === severity && row.age === age)?.count ?? 0;
  return (
    <Section title="Open breaks by weight and age">
      <div className="scroll">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Weight</th>
              {ages.map(([age, title]) => (
                <th key={age} scope="col" className="number">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(['high', 'medium', 'low'] as const).map((severity) => (
              <tr key={severity}>
                <th scope="row">
                  <Link href={`/reconciliation?severity=${severity}`}>
                    <Badge state={severity} />
                  </Link>
                </th>
                {ages.map(([age]) => (
                  <td key={age} className="number">
                    <Count value={count(severity, age)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function Allowances({ of: { allowances } }: { readonly of: Overview }) {
  return (
    <Section title="Allowances near their end">
      {allowances.length === 0 ? (
        <Empty>No account has used half of its units this month.</Empty>
      ) : (
        <ul className="checklist">
          {allowances.map(({ account, name, plan, used, included }) => (
            <li key={account}>
              <span>
                {/* For drawing: the numbers are beside it. */}
                <progress max={Number(included)} value={Number(used)} aria-label={`${name}: ${used} of ${included}`} />
              </span>
              <span>
                <Link href={`/customers/${account}`}>
                  <bdi>{name}</bdi>
                </Link>{' '}
                <span className="muted">
                  <Count value={used} /> of <Count value={included} />, {plan}
                </span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
