import type { Clock } from '@keyfare/core/time';

/** So many names are remembered; with more, the one that was noted first is forgotten and the database asked again. */
const mostKnown = 50_000;

/** Who has no free calls left, and until when: they are refused without a statement. In memory, and bounded. */
export class Spent {
  readonly #until = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** Whether `name` has none left now. */
  has(name: string): boolean {
    const untilMs = this.#until.get(name);
    if (untilMs === undefined) return false;
    if (this.clock().getTime() < untilMs) return true;
    this.#until.delete(name);
    return false;
  }

  /** `name` has none left until then. */
  note(name: string, until: Date): void {
    this.#until.delete(name);
    this.#until.set(name, until.getTime());
    if (this.#until.size <= mostKnown) return;
    const [oldest] = this.#until.keys();
    if (oldest !== undefined) this.#until.delete(oldest);
  }
}
