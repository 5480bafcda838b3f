import { type Ground, holds, startGate } from './gate.js';
import { ask } from './player.js';
import { historyTime } from './time.js';

/** What a process does that is killed. */
export interface CrashOrders {
  readonly ground: Ground;
  readonly at: string;
  /** Calls that are answered: paths and headers. */
  readonly answered: readonly Wire[];
  /** Calls that are under way when it is killed. */
  readonly underWay: readonly Wire[];
}

interface Wire {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const { ground, at: iso, answered, underWay } = JSON.parse(process.argv[2] ?? '') as CrashOrders;
const at = new Date(iso);
const gate = await startGate(ground, historyTime(at));
for (const call of answered) {
  const { status, body } = await ask({ gate }, { at, ...call });
  if (status !== 200) throw new Error(`a call was answered ${String(status)}: ${body}`);
}
await Promise.all(
  underWay.map(
    async ({ path, headers }, nth) =>
      new Promise<void>((entered, failed) => {
        const name = `crash-${String(nth)}`;
        holds.set(name, { entered, released: new Promise(() => undefined) });
        void ask({ gate }, { at, path: `${path}?hold=${name}`, headers }).then(
          ({ status, body }) => failed(new Error(`a call that hangs was answered ${String(status)}: ${body}`)),
          failed,
        );
      }),
  ),
);
process.kill(process.pid, 'SIGKILL');
