/**
 * What a call may have to wait for: that somebody signs in again, or shows the password again. The shell shows a dialog
 * over the page, which stays as it was, and the call is made again.
 */
export type Wanted = 'sign-in' | 'password';

/** The one who was asked said no. */
export class DoorClosed extends Error {
  override readonly name = 'DoorClosed';
}

interface Waiting {
  readonly wanted: Wanted;
  readonly opened: Promise<void>;
  readonly open: () => void;
  readonly close: () => void;
}

let waiting: Waiting | undefined;
const listeners = new Set<() => void>();

function change(next: Waiting | undefined): void {
  waiting = next;
  for (const listener of listeners) listener();
}

/** Resolves when the door was opened. All calls that wait for the same wait for one dialog. */
export async function askAtDoor(wanted: Wanted): Promise<void> {
  const other = waiting;
  if (other !== undefined && other.wanted !== wanted) {
    await other.opened;
    return askAtDoor(wanted);
  }
  if (waiting === undefined) {
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    opened.catch(() => undefined);
    const end = (settle: () => void) => (): void => {
      change(undefined);
      settle();
    };
    change({ wanted, opened, open: end(resolve), close: end(() => reject(new DoorClosed())) });
  }
  await waiting?.opened;
}

/** For `useSyncExternalStore`. */
export const door = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  read: (): Waiting | undefined => waiting,
};
