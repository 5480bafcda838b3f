import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePreferences } from '../shell/preferences.js';
import type { ChartProps } from './chart.js';

const total = (values: readonly (number | null)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0);

/** The picture of a chart, on a canvas. */
export default function Plot({ title, unit, times, series, height = 220, isBars = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const { locale, timeZone, colours } = usePreferences();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const style = getComputedStyle(element);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 6 });
    const axis = {
      stroke: color('--muted'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { stroke: color('--line'), width: 1 },
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), timeZone),
        scales: { y: { range: (_, min, max) => [Math.min(0, min), max <= 0 ? 1 : max * 1.08] } },
        series: [
          {
            label: timeZone,
            value: (_, seconds) =>
              seconds === null
                ? '–'
                : new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone }).format(seconds * 1_000),
          },
          ...series.map(({ label }, index) => ({
            label,
            stroke: color(`--series-${(index % 6) + 1}`),
            width: 2,
            value: (_: uPlot, value: number | null) => (value === null ? '–' : number.format(value)),
            ...(isBars
              ? {
                  paths: uPlot.paths.bars?.({ size: [0.7, 40] }) as uPlot.Series.PathBuilder,
                  fill: color(`--series-${(index % 6) + 1}`),
                }
              : { points: { show: times.length < 60 } }),
          })),
        ],
        axes: [
          {
            ...axis,
            values: (_, seconds) =>
              seconds.map((at) =>
                new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone }).format(at * 1_000),
              ),
          },
          {
            ...axis,
            size: 76,
            label: unit,
            labelSize: 18,
            values: (_, values) => values.map((value) => number.format(value)),
          },
        ],
      },
      [Float64Array.from(times), ...series.map(({ values }) => values.slice())] as unknown as uPlot.AlignedData,
      element,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [times, series, unit, height, isBars, locale, timeZone, colours]);
  const sums = series.map(({ label, values }) => `${label} ${total(values).toFixed(2)} ${unit} in all`);
  return <div ref={box} role="img" aria-label={`${title}: ${sums.join(', ')}`} />;
}
