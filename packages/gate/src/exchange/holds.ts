import { Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { MeterService } from '../meter/meter.service.js';
import { PaymentService } from '../payment/payment.service.js';
import type { Exchange } from './exchange.js';

/**
 * Who answers for a hold. Between the guard that holds and the interceptor that posts or voids, others may refuse: a
 * guard of the host's, an interceptor of the host's around ours, a caller who goes away. None of them knows of the hold,
 * so whatever the interceptor did not take over is voided when the response closes.
 */
@Injectable()
export class Holds {
  constructor(
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
  ) {}

  /**
   * From here on the caller posts or voids the hold. Throws when the response has closed: then the hold is voided
   * already, and nobody is left to be served.
   */
  take(exchange: Exchange): void {
    if (exchange.closed === true)
      throw new Problem('request/malformed', 'The connection closed before the call began.');
    exchange.taken = true;
  }

  /** Voids a hold that came to be after its response had closed. Throws as `take` does. */
  check(exchange: Exchange): void {
    if (exchange.closed !== true) return;
    this.void(exchange.hold);
    this.take(exchange);
  }

  /** The response has closed: a hold that nobody took over is voided. */
  close(exchange: Exchange): void {
    exchange.closed = true;
    if (exchange.taken !== true) this.void(exchange.hold);
  }

  /** Gives a hold up: its units or its payment are free for another call. */
  void(hold: Exchange['hold']): void {
    if (hold === undefined || hold.rail === 'known') return;
    if (hold.rail === 'key') this.meter.void(hold);
    else this.payments.void(hold);
  }
}
