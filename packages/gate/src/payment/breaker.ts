/** A payer who is refused, and for how long still. */
interface OpenPayer {
  readonly payer: string;
  readonly openMs: number;
}

/** How many reverts, within which time, close the rail and for how long. */
export interface BreakerSettings {
  readonly perPayer: number;
  readonly total: number;
  readonly windowMs: number;
  readonly openMs: number;
}

/** Who is refused at the moment because of reverts, and how often that began since the process did. */
export interface BreakerState {
  readonly isOpen: boolean;
  /** For how long everybody still is; 0 where not everybody is. */
  readonly openMs: number;
  readonly openPayers: number;
  readonly trips: { readonly payer: number; readonly all: number };
}

const defaults: BreakerSettings = { perPayer: 3, total: 50, windowMs: 60_000, openMs: 60_000 };
const mostPayers = 10_000;

/**
 * Refuses payers whose settlements revert again and again, and everybody when too many revert: each costs gas. It knows
 * what this process settled, of a bounded number of payers.
 */
export class Breaker {
  readonly #payers = new Map<string, { count: number; sinceMs: number; openUntilMs: number }>();
  readonly #all = { count: 0, sinceMs: 0, openUntilMs: 0 };
  readonly #trips = { payer: 0, all: 0 };

  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly settings: BreakerSettings = defaults,
  ) {}

  /** Takes note of a settlement that reverted. */
  reverted(payer: string): void {
    const known = this.#payers.get(payer) ?? { count: 0, sinceMs: this.nowMs(), openUntilMs: 0 };
    this.#payers.delete(payer);
    this.#payers.set(payer, known);
    if (this.#count(known, this.settings.perPayer)) this.#trips.payer += 1;
    if (this.#count(this.#all, this.settings.total)) this.#trips.all += 1;
    const [oldest] = this.#payers.keys();
    if (this.#payers.size > mostPayers && oldest !== undefined) this.#payers.delete(oldest);
  }

  /** Who is refused at the moment because of reverts: this payer, everybody, or null. */
  isOpen(payer: string): 'payer' | 'all' | null {
    const nowMs = this.nowMs();
    if (this.#all.openUntilMs > nowMs) return 'all';
    return (this.#payers.get(payer)?.openUntilMs ?? 0) > nowMs ? 'payer' : null;
  }

  get state(): BreakerState {
    const nowMs = this.nowMs();
    const openPayers = [...this.#payers.values()].filter(({ openUntilMs }) => openUntilMs > nowMs).length;
    const openMs = Math.max(0, this.#all.openUntilMs - nowMs);
    return { isOpen: openMs > 0, openMs, openPayers, trips: { ...this.#trips } };
  }

  /** Those who are refused, the last to revert first; so many at most. */
  open(limit: number): readonly OpenPayer[] {
    const nowMs = this.nowMs();
    const open = [...this.#payers].flatMap(([payer, { openUntilMs }]) =>
      openUntilMs > nowMs ? [{ payer, openMs: openUntilMs - nowMs }] : [],
    );
    return open.toReversed().slice(0, limit);
  }

  /** Whether this one was one too many. */
  #count(state: { count: number; sinceMs: number; openUntilMs: number }, most: number): boolean {
    const nowMs = this.nowMs();
    if (nowMs - state.sinceMs > this.settings.windowMs) Object.assign(state, { count: 0, sinceMs: nowMs });
    state.count += 1;
    if (state.count < most) return false;
    Object.assign(state, { count: 0, openUntilMs: nowMs + this.settings.openMs });
    return true;
  }
}
