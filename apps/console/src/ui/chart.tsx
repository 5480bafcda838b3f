import { lazy, Suspense } from 'react';
import { Boundary } from './boundary.js';

export interface Series {
  readonly label: string;
  /** For drawing only: a picture needs no more digits than these. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  /** What it shows, for who cannot see it. */
  readonly title: string;
  /** Of the y axis. */
  readonly unit: string;
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly height?: number;
  readonly isBars?: boolean;
}

/**
 * uPlot asks `Intl` for the browser's language when it is loaded, and a browser that has none (`LANG=C`) names one that
 * `Intl` refuses with a RangeError.
 */
function tellLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en-GB', configurable: true });
  }
}

const Plot = lazy(async () => {
  tellLanguage();
  return import('./plot.js');
});

/**
 * Lines or bars over time, with axes in the zone and the numbers of the page; holds 100,000 points. What draws it comes
 * after the page, so that no number waits for a picture.
 */
export const Chart = (props: ChartProps) => (
  <figure className="chart">
    <figcaption>
      {props.title} <span className="muted">({props.unit})</span>
    </figcaption>
    <Boundary>
      <Suspense fallback={<div className="chart-place" style={{ height: props.height ?? 220 }} />}>
        <Plot {...props} />
      </Suspense>
    </Boundary>
  </figure>
);
