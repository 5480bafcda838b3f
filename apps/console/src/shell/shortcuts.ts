import { useEffect } from 'react';

interface Shortcuts {
  /** By the key that follows `g`. */
  readonly go: Readonly<Record<string, () => void>>;
  readonly help: () => void;
}

/** How long a `g` waits for its second key. */
const sequenceMs = 1_500;

/** The keys that work everywhere but where somebody writes. */
export function useShortcuts({ go, help }: Shortcuts): void {
  useEffect(() => {
    let goAt = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      const { target, key } = event;
      const isWriting =
        target instanceof HTMLElement &&
        (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      if (
        isWriting ||
        event.defaultPrevented ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        document.querySelector('[role=dialog]') !== null
      )
        return;
      const step = performance.now() - goAt < sequenceMs ? go[key] : undefined;
      goAt = Number.NEGATIVE_INFINITY;
      if (step !== undefined) step();
      else if (key === 'g') goAt = performance.now();
      else if (key === '?') help();
      else if (key === '/') document.querySelector<HTMLInputElement>('main input[type=search]')?.focus();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [go, help]);
}
