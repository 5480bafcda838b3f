import { isProblem, Problem, type ProblemCode } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { GateConfig } from './config.js';
import { Throttle } from './throttle.js';

/** Refusals that asked neither database nor chain: they cost next to nothing. */
const cheap: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'payment/mismatched',
  'payment/not-yet-valid',
  'service/overloaded',
  'payment/throttled',
]);

const mostKnown = 10_000;
const everyone = 'all';
const nowMs = (): number => performance.now();

/**
 * What payers of whom nothing is known may cost: claims, statements and questions to the node for payments that are then
 * refused, per address and in total. A payer that was served is no stranger, whatever else comes from its address.
 */
@Injectable()
export class Strangers {
  readonly #byAddress: Throttle;
  readonly #inTotal: Throttle;
  readonly #known = new Set<string>();

  constructor({ refusedPayments: { perAddress, total } }: GateConfig) {
    this.#byAddress = new Throttle({ burst: 2 * perAddress, perSecond: perAddress, nowMs });
    this.#inTotal = new Throttle({ burst: 2 * total, perSecond: total, nowMs, maxAddresses: 1 });
  }

  /**
   * Before anything is asked for a payment. Throws 429 `payment/throttled` when too many from the address were refused, 503
   * `service/overloaded` when too many were altogether.
   */
  admit(address: string, payer: string): void {
    if (this.#known.has(payer)) return;
    const waitSeconds = this.#byAddress.peek(address);
    if (waitSeconds > 0) throw comeBack('payment/throttled', waitSeconds);
    const waitForAll = this.#inTotal.peek(everyone);
    if (waitForAll > 0) throw comeBack('service/overloaded', waitForAll);
  }

  /** A payment of the payer was refused. */
  refused(address: string, payer: string, error: unknown): void {
    // What the database or the chain cannot do today is no fault of who pays.
    if (!isProblem(error) || error.status >= 500 || cheap.has(error.code)) return;
    // A known payer may ask again for what it paid; one whose payment is not good is known no longer.
    if (error.status === 402) this.#known.delete(payer);
    if (this.#known.has(payer)) return;
    this.#byAddress.take(address);
    this.#inTotal.take(everyone);
  }

  /** A payment of the payer was held: it had the money. */
  learn(payer: string): void {
    if (this.#known.delete(payer)) this.#known.add(payer);
    else {
      this.#known.add(payer);
      const [oldest] = this.#known;
      if (this.#known.size > mostKnown && oldest !== undefined) this.#known.delete(oldest);
    }
  }
}

function comeBack(code: ProblemCode, seconds: number): Problem {
  return new Problem(code, undefined, { headers: { 'retry-after': String(seconds) } });
}
