import type { components } from '@keyfare/api-types/billing';

/** Who has signed in. */
export type Session = components['schemas']['ConsoleSession'];
export type Scope = Session['operator']['scopes'][number];

let current: Session | null | undefined;
const listeners = new Set<() => void>();

/** Undefined: not known yet. Null: nobody. */
export function setSession(next: Session | null): void {
  current = next;
  for (const listener of listeners) listener();
}

/** For `useSyncExternalStore`. */
export const sessionStore = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  read: (): Session | null | undefined => current,
};
