import type { ReactNode } from 'react';
import { Section } from '../../ui/page.js';
import { Badge } from '../../ui/values.js';

type Unavailable = { readonly state: 'unavailable'; readonly reason: 'late' | 'away' | 'wrong-chain' | 'failed' };

const reasons: Readonly<Record<Unavailable['reason'], string>> = {
  late: 'It did not answer within two seconds.',
  away: 'It cannot be reached.',
  'wrong-chain': 'It is of another chain.',
  failed: 'Asking it failed; the log of the program says why.',
};

interface PartProps<T> {
  readonly title: string;
  readonly of: T | Unavailable;
  readonly actions?: ReactNode;
  readonly children: (known: Exclude<T, Unavailable>) => ReactNode;
}

/** One part of the status. Where its source is away it says so, and the others are shown all the same. */
export function Part<T extends { readonly state: string }>({ title, of, actions, children }: PartProps<T>) {
  return (
    <Section title={title} actions={actions}>
      {of.state === 'unavailable' ? (
        <div className="state" role="status">
          <Badge state="unavailable" />
          {reasons[(of as Unavailable).reason]}
        </div>
      ) : (
        children(of as Exclude<T, Unavailable>)
      )}
    </Section>
  );
}

/** So long, in the largest units. */
export function lasting(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
