import type { PayerPrincipal } from '@keyfare/core/principal';
import { isProblem, Problem, type ProblemCode } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { GateConfig } from './config.js';
import { GateMetrics } from './metrics.js';
import { Throttle } from './throttle.js';

const mostKnown = 10_000;
const everyone = 'all';
const nowMs = (): number => performance.now();

/**
 * What payers of whom nothing is known may cost: claims, statements and questions to the node for payments that are
 * then refused, per address and in total. A payer that was served is no stranger, whatever else comes from its address;
 * only its own signature says that a payment is its. What is refused without asking anybody is not counted.
 */
@Injectable()
export class Strangers {
  readonly #byAddress: Throttle;
  readonly #inTotal: Throttle;
  /** Payments that were presented before: they are public, so a known payer's name on one opens no door for ever. */
  readonly #again: Throttle;
  readonly #known = new Set<string>();

  constructor(
    { refusedPayments: { perAddress, total } }: GateConfig,
    private readonly metrics: GateMetrics,
  ) {
    this.#byAddress = new Throttle({ burst: 2 * perAddress, perSecond: perAddress, nowMs });
    this.#again = new Throttle({ burst: 8 * perAddress, perSecond: 4 * perAddress, nowMs });
    this.#inTotal = new Throttle({ burst: 2 * total, perSecond: total, nowMs, maxAddresses: 1 });
  }

  /**
   * Before anything is asked for a payment. Throws 429 `payment/throttled` when too many from the address were refused,
   * 503 `service/overloaded` when too many were altogether.
   */
  admit(address: string, payer: PayerPrincipal): void {
    const isKnown = this.#isKnown(payer);
    const waitSeconds = (isKnown ? this.#again : this.#byAddress).peek(address);
    if (waitSeconds > 0) {
      this.metrics.throttled.inc({ limit: isKnown ? 'again' : 'address' });
      throw comeBack('payment/throttled', waitSeconds);
    }
    const waitForAll = this.#inTotal.peek(everyone);
    if (isKnown || waitForAll === 0) return;
    this.metrics.throttled.inc({ limit: 'total' });
    throw comeBack('service/overloaded', waitForAll);
  }

  /** A payment of the payer was refused after the database or the node was asked. */
  refused(address: string, payer: PayerPrincipal, error: unknown): void {
    // What the database or the chain cannot do today is no fault of who pays.
    if (!isProblem(error) || error.status >= 500) return;
    // A known payer may ask again for what it paid; one that has no money for what it signs is known no longer. A
    // payment that was presented before is public, and so says nothing of who presents it.
    if (error.code === 'payment/insufficient-funds' && payer.payment.proof === 'key') this.#known.delete(payer.payer);
    this.#again.take(address);
    if (this.#isKnown(payer)) return;
    this.#byAddress.take(address);
    this.#inTotal.take(everyone);
  }

  /** A new payment of the payer was held: it had the money. */
  learn({ payer }: PayerPrincipal): void {
    if (this.#known.delete(payer)) this.#known.add(payer);
    else {
      this.#known.add(payer);
      const [oldest] = this.#known;
      if (this.#known.size > mostKnown && oldest !== undefined) this.#known.delete(oldest);
    }
  }

  /** Anybody may write a payer's name; its key signs for it alone. */
  #isKnown({ payer, payment }: PayerPrincipal): boolean {
    return payment.proof === 'key' && this.#known.has(payer);
  }
}

function comeBack(code: ProblemCode, seconds: number): Problem {
  return new Problem(code, undefined, { headers: { 'retry-after': String(seconds) } });
}
