import { useRef, useState } from 'react';
import { billing, ok } from '../../api/client.js';
import type { Finalized } from './kinds.js';

export interface Run {
  readonly month: string;
  readonly isPreview: boolean;
  readonly items: readonly Finalized[];
  readonly state: 'running' | 'stopped' | 'done' | 'failed';
  readonly error: unknown;
}

/** So many drafts in one request: each shows that it goes on. */
const batch = 50;

interface Asked {
  readonly month: string;
  readonly isPreview: boolean;
  /** At most so many drafts; null for all. */
  readonly limit: number | null;
}

/**
 * Asks for the drafts of a month batch by batch until none is left, the limit is reached or somebody stops it. What was
 * made final stays so, whatever comes after.
 */
export function useRun(): {
  readonly run: Run | undefined;
  readonly start: (asked: Asked) => Promise<void>;
  readonly stop: () => void;
} {
  const [run, setRun] = useState<Run>();
  const isStopped = useRef(false);
  const start = async ({ month, isPreview, limit }: Asked): Promise<void> => {
    isStopped.current = false;
    const items: Finalized[] = [];
    const tell = (state: Run['state'], error?: unknown): void =>
      setRun({ month, isPreview, items: [...items], state, error });
    tell('running');
    let after: string | null | undefined;
    const isThere = (): boolean => limit !== null && items.length >= limit;
    try {
      do {
        const size = limit === null ? batch : Math.min(batch, limit - items.length);
        const answer = await ok(
          billing.POST('/invoices/finalize', {
            body: { month, preview: isPreview, limit: size, ...(typeof after === 'string' ? { after } : {}) },
          }),
        );
        items.push(...answer.items);
        after = answer.next;
        tell('running');
      } while (typeof after === 'string' && !isStopped.current && !isThere());
      tell(typeof after === 'string' ? 'stopped' : 'done');
    } catch (error) {
      tell('failed', error);
    }
  };
  return { run, start, stop: () => void (isStopped.current = true) };
}
