import type { components } from '@keyfare/api-types/billing';
import { sumMoney, toMicros } from '../../format/money.js';
import type { Series } from '../../ui/chart.js';

type Day = components['schemas']['Overview']['days'][number];
type Balance = components['schemas']['Overview']['balances'][number];

const dayMs = 86_400_000;
const shownDays = 30;

/** Of each rail a line; a day without a call is a zero and not a gap. */
export function seriesOf(
  days: readonly Day[],
  asOf: string,
): { readonly times: readonly number[]; readonly calls: readonly Series[]; readonly amounts: readonly Series[] } {
  const last = Math.floor(Date.parse(asOf) / dayMs);
  const shown = Array.from({ length: shownDays }, (_, index) => last - shownDays + 1 + index);
  const names = shown.map((day) => new Date(day * dayMs).toISOString().slice(0, 10));
  const lines = (key: (day: Day) => string, value: (day: Day) => number): readonly Series[] =>
    [...new Set(days.map(key))].map((label) => {
      const sums = new Map<string, number>();
      for (const day of days.filter((each) => key(each) === label))
        sums.set(day.day, (sums.get(day.day) ?? 0) + value(day));
      return { label, values: names.map((name) => sums.get(name) ?? 0) };
    });
  return {
    times: shown.map((day) => (day * dayMs) / 1_000),
    calls: lines(
      ({ rail }) => rail,
      ({ calls }) => Number(calls),
    ),
    amounts: lines(
      ({ rail, asset }) => `${rail} ${asset}`,
      ({ amount }) => Number(toMicros(amount)) / 1e6,
    ).filter(({ label }) => !label.startsWith('free')),
  };
}

/** What stands on all ledger accounts of some kinds. */
export function balanceOf(
  balances: readonly Balance[],
  kinds: readonly string[],
  asset: string,
  sign: 1n | -1n = 1n,
): string {
  const sum = sumMoney(
    balances.filter((row) => row.asset === asset && kinds.includes(row.kind)).map(({ balance }) => balance),
  );
  if (sign === 1n || /^0\.0+$/.test(sum)) return sum;
  return sum.startsWith('-') ? sum.slice(1) : `-${sum}`;
}
