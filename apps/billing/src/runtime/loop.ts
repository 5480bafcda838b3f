import { setTimeout as pause } from 'node:timers/promises';

export interface LoopSettings {
  /** One step. Whether there is more to do at once. */
  readonly step: () => Promise<boolean>;
  /** Called for every failure; `failures` counts those without a success between them. */
  readonly onFailure: (error: unknown, failures: number) => void;
  /** Called when a step succeeds after one that did not. */
  readonly onRecovered: () => void;
  readonly intervalMs: number;
}

const longestPauseMs = 10_000;
const loudEvery = 10;

/** Whether a failure is worth a line: the first, and then every tenth, which is one in one or two minutes. */
export function isLoud(failures: number): boolean {
  return failures === 1 || failures % loudEvery === 0;
}

/** How a loop is. */
export interface LoopState {
  /** When its last step ended well; null when none has. */
  readonly lastDoneAt: Date | null;
  /** Steps that failed one after the other, up to now. */
  readonly failures: number;
}

/** Does a job over and over: at once while there is more, then in intervals; ever more slowly while it fails. */
export class Loop {
  readonly #settings: LoopSettings;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #state: LoopState = { lastDoneAt: null, failures: 0 };

  constructor(settings: LoopSettings) {
    this.#settings = settings;
  }

  get state(): LoopState {
    return this.#state;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the step that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { step, onFailure, onRecovered, intervalMs } = this.#settings;
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted; ) {
      let more = false;
      try {
        more = await step();
        if (failures > 0) onRecovered();
        failures = 0;
        this.#state = { lastDoneAt: new Date(), failures };
      } catch (error) {
        failures += 1;
        this.#state = { ...this.#state, failures };
        onFailure(error, failures);
      }
      const backoffMs = Math.min(intervalMs * 2 ** Math.min(failures, 10), longestPauseMs);
      if (!more) await pause(failures > 0 ? backoffMs : intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
