import type { ReactNode } from 'react';
import { Moment } from './values.js';

export interface Step {
  readonly title: string;
  readonly state: 'done' | 'now' | 'open' | 'failed';
  readonly at?: string | null;
  readonly children?: ReactNode;
}

const marks = { done: '✓', now: '…', open: '○', failed: '✕' } as const;
const said = { done: 'done', now: 'under way', open: 'not yet', failed: 'failed' } as const;

/** What happens one after the other, and how far it is. */
export const Steps = ({ of }: { readonly of: readonly Step[] }) => (
  <ol className="steps">
    {of.map(({ title, state, at, children }) => (
      <li key={title} className={state} aria-current={state === 'now' ? 'step' : undefined}>
        <span className="mark" aria-hidden="true">
          {marks[state]}
        </span>
        <div>
          <strong>{title}</strong> <span className="muted">({said[state]})</span>
          {at === undefined || at === null ? null : (
            <>
              {' '}
              <Moment at={at} />
            </>
          )}
          {children === undefined ? null : <div>{children}</div>}
        </div>
      </li>
    ))}
  </ol>
);
