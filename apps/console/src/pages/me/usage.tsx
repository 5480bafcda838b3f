import { useMemo } from 'react';
import { largestPart, readAll } from '../../api/all.js';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { byDay, type LineOfUse } from '../../format/by-day.js';
import { Chart } from '../../ui/chart.js';
import { Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';

/** The running month day by day, against what the plan includes. */
export function Usage({ month, included }: { readonly month: string; readonly included: string }) {
  const usage = useRead(['me', 'usage', month], async () =>
    readAll(async (cursor) =>
      ok(
        billing.GET('/me/usage', {
          params: { query: { month, limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    ),
  );
  return (
    <Section
      title="Usage this month"
      actions={
        <a href={`/me/exports/focus?month=${month}`} className="button quiet" download>
          FOCUS file
        </a>
      }
    >
      <Shown of={usage}>{({ items }) => <Days lines={items} month={month} included={included} />}</Shown>
    </Section>
  );
}

interface DaysProps {
  readonly lines: readonly LineOfUse[];
  readonly month: string;
  readonly included: string;
}

function Days({ lines, month, included }: DaysProps) {
  const { times, series } = useMemo(() => {
    const days = byDay(lines, month);
    return {
      times: days.map(({ at }) => at),
      series: [
        { label: 'Used so far', values: days.map(({ total }) => total) },
        { label: 'Included', values: days.map(() => Number(included)) },
      ],
    };
  }, [lines, month, included]);
  return <Chart title="Units of the month" unit="units" times={times} series={series} />;
}
