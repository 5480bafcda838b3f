import { useState } from 'react';
import { formatCount, formatMoney } from '../format/money.js';
import { formatAge, formatDay, formatMoment } from '../format/time.js';
import { usePreferences } from '../shell/preferences.js';

/** An amount with its asset. Null is a dash: nothing is known, which is not zero. */
export function Money({
  amount,
  asset,
}: {
  readonly amount: string | null | undefined;
  readonly asset?: string | null | undefined;
}) {
  const { locale } = usePreferences();
  if (amount === null || amount === undefined) return <Dash />;
  return (
    <span className={amount.startsWith('-') ? 'money negative' : 'money'}>
      {formatMoney(amount, locale)}
      {asset === undefined || asset === null ? null : <span className="asset"> {asset}</span>}
    </span>
  );
}

export function Count({ value }: { readonly value: string | number | null | undefined }) {
  const { locale } = usePreferences();
  return value === null || value === undefined ? <Dash /> : <span className="money">{formatCount(value, locale)}</span>;
}

/** A moment in the zone of the page; its title is the moment as the API writes it. */
export function Moment({ at }: { readonly at: string | null | undefined }) {
  const preferences = usePreferences();
  if (at === null || at === undefined) return <Dash />;
  return (
    <time dateTime={at} title={at}>
      {formatMoment(at, preferences)}
    </time>
  );
}

/** How long ago; the moment itself is its title. */
export function Age({ at }: { readonly at: string | null | undefined }) {
  const preferences = usePreferences();
  if (at === null || at === undefined) return <Dash />;
  return (
    <time dateTime={at} title={`${formatMoment(at, preferences)} ${preferences.timeZone}`}>
      {formatAge(at, Date.now(), preferences.locale)}
    </time>
  );
}

export function Day({ of }: { readonly of: string | null | undefined }) {
  const { locale } = usePreferences();
  return of === null || of === undefined ? <Dash /> : <time dateTime={of}>{formatDay(of, locale)}</time>;
}

export const Dash = () => <span className="dash">–</span>;

/** A long id, address or hash: its ends, all of it in the title, and a click copies it. */
export function Id({ value, length = 14 }: { readonly value: string | null | undefined; readonly length?: number }) {
  const [copied, setCopied] = useState(false);
  if (value === null || value === undefined) return <Dash />;
  const short = value.length <= length ? value : `${value.slice(0, length - 5)}…${value.slice(-4)}`;
  return (
    <button
      type="button"
      className="id"
      title={value}
      aria-label={`${short}: copy ${value}`}
      onClick={(event) => {
        event.stopPropagation();
        void navigator.clipboard?.writeText(value).then(() => setCopied(true));
      }}
      onBlur={() => setCopied(false)}
    >
      {copied ? 'copied' : short}
    </button>
  );
}

type Tone = 'good' | 'bad' | 'warn' | 'plain' | 'info';

const tones: Readonly<Record<string, Tone>> = {
  high: 'bad',
  medium: 'warn',
  low: 'plain',
  open: 'warn',
  resolved: 'good',
  done: 'good',
  failed: 'bad',
  running: 'info',
  queued: 'info',
  paid: 'good',
  partially_paid: 'warn',
  uncollectible: 'bad',
  final: 'good',
  settled: 'good',
  active: 'good',
  suspended: 'warn',
  ready: 'good',
  current: 'good',
  ok: 'good',
  up: 'good',
  down: 'bad',
  behind: 'warn',
  unavailable: 'bad',
  rewritten: 'bad',
  diverged: 'bad',
  expired: 'warn',
  rejected: 'bad',
  locked: 'good',
  revoked: 'bad',
};

/** A state as a word with a colour; the colour alone says nothing. */
export function Badge({ state, tone }: { readonly state: string; readonly tone?: Tone }) {
  return <span className={`badge ${tone ?? tones[state] ?? 'plain'}`}>{state.replaceAll('_', ' ')}</span>;
}
