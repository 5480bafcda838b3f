import { planName } from '../../api/catalogue.js';
import { useRead } from '../../api/hooks.js';
import { fromMicros, sumMoney } from '../../format/money.js';
import type { PlanTerms } from '../../format/plan-cost.js';
import { formatMonth, monthBefore } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Count, Money } from '../../ui/values.js';
import { type Account, type Effect, effectsOf, readUnits } from './effect.js';

interface EffectsProps {
  readonly accounts: readonly Account[];
  readonly terms: PlanTerms;
}

/** What these terms would do to each of these accounts, by what they used in the last whole month. */
export function Effects({ accounts, terms }: EffectsProps) {
  const { locale } = usePreferences();
  const month = monthBefore(new Date());
  const units = useRead(['callers', month], async () => readUnits(month));
  return (
    <Shown of={units} what={`Reading the usage of ${month}`}>
      {(used) => {
        const effects = effectsOf(accounts, used, terms);
        const [now, next] = [sumMoney(effects.map((one) => one.now)), sumMoney(effects.map((one) => one.next))];
        return (
          <>
            <p>If all of them were on it: a whole month with the units of {formatMonth(month, locale)}, before tax.</p>
            <div className="stats">
              <Stat label="They pay now">
                <Money amount={now} asset="USD" />
              </Stat>
              <Stat label="They would pay">
                <Money amount={next} asset="USD" />
              </Stat>
              <Stat label="Pay more">
                <Count value={effects.filter(({ difference }) => difference > 0n).length} />
              </Stat>
              <Stat label="Pay less">
                <Count value={effects.filter(({ difference }) => difference < 0n).length} />
              </Stat>
              <Stat label="Would have been refused calls">
                <Count value={effects.filter(({ refused }) => refused !== '0').length} />
              </Stat>
            </div>
            <Table
              name="effect by account"
              columns={columns}
              list={wholeList(effects)}
              keyOf={({ account }) => account.id}
              empty="No account is on this plan."
            />
          </>
        );
      }}
    </Shown>
  );
}

const columns: readonly Column<Effect>[] = [
  { title: 'Account', text: ({ account }) => account.name, width: 'minmax(11rem, 2fr)' },
  { title: 'On', text: ({ account }) => planName(account.plan), width: '8rem' },
  {
    title: 'Units',
    text: ({ units }) => units,
    cell: ({ units }) => <Count value={units} />,
    isNumber: true,
    width: '7rem',
  },
  {
    title: 'Now',
    text: ({ now }) => now,
    cell: ({ now }) => <Money amount={now} asset="USD" />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Then',
    text: ({ next }) => next,
    cell: ({ next }) => <Money amount={next} asset="USD" />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Difference',
    text: ({ difference }) => fromMicros(difference),
    cell: ({ difference }) => <Money amount={fromMicros(difference)} asset="USD" />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Refused',
    text: ({ refused }) => refused,
    cell: ({ refused }) => <Count value={refused} />,
    isNumber: true,
    width: '7rem',
  },
];
