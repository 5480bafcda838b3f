import type { ReactNode } from 'react';
import { DoorClosed } from '../api/door.js';
import { ApiProblem } from '../api/problem.js';
import { Button } from './button.js';

export const Loading = ({ what = 'Loading' }: { readonly what?: string }) => (
  <div className="state" role="status">
    <span className="spinner" aria-hidden="true" />
    {what}…
  </div>
);

export const Empty = ({ children }: { readonly children: ReactNode }) => <div className="state empty">{children}</div>;

/** What went wrong, in the API's words, with its code; and again, where that may help. */
export function Fault({ error, again }: { readonly error: unknown; readonly again?: (() => void) | undefined }) {
  if (error instanceof DoorClosed) return <Empty>Nobody has signed in again, so this was not read.</Empty>;
  const problem = error instanceof ApiProblem ? error : undefined;
  if (problem?.isForbidden === true) {
    return (
      <div className="state" role="alert">
        <strong>You may not see or do this.</strong>
        <span>Your role lacks the right for it. {problem.detail}</span>
        <code>{problem.code}</code>
      </div>
    );
  }
  return (
    <div className="state fault" role="alert">
      <strong>{problem?.isOffline === true ? 'The connection is lost.' : 'That did not work.'}</strong>
      <span>{problem?.detail ?? String(error)}</span>
      {problem?.errors.map((line) => (
        <span key={line}>{line}</span>
      ))}
      {problem === undefined ? null : <code>{problem.code}</code>}
      {again === undefined ? null : <Button onPress={again}>Try again</Button>}
    </div>
  );
}

interface ShownProps<T> {
  readonly of: {
    readonly data: T | undefined;
    readonly error: Error | null;
    readonly isPending: boolean;
    readonly refetch: () => unknown;
  };
  readonly what?: string;
  readonly children: (data: NonNullable<T>) => ReactNode;
}

/** One read in its three states. What was read before stays in view when a further read fails, with the fault above. */
export function Shown<T>({ of: { data, error, isPending, refetch }, what, children }: ShownProps<T>) {
  if (data !== undefined && data !== null) {
    return (
      <>
        {error === null ? null : <Fault error={error} again={() => void refetch()} />}
        {children(data)}
      </>
    );
  }
  if (error !== null) return <Fault error={error} again={() => void refetch()} />;
  return isPending ? <Loading {...(what === undefined ? {} : { what })} /> : null;
}
