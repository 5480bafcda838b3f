import { Injectable, Logger } from '@nestjs/common';
import { FreeService } from '../free/free.service.js';
import { MeterService } from '../meter/meter.service.js';
import type { PaymentHold } from '../payment/call.js';
import { PaymentService } from '../payment/payment.service.js';
import type { Exchange, Hold } from './exchange.js';
import { LaterEntries } from './later.js';

/** Why a call that was paid for before its handler ran was not served; a stable word in the refund's entry. */
export type UnservedReason = 'handler-refused' | 'handler-failed' | 'caller-gone' | 'not-posted';

/** Gives up what was held for a call that is not served. */
@Injectable()
export class Holds {
  readonly #logger = new Logger('Gate');

  constructor(
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly later: LaterEntries,
    private readonly free: FreeService,
  ) {}

  /**
   * Units, free calls and claimed payments are free again. A payment that has moved already is owed back: its entry is
   * written before this resolves where the database allows, and by a sweep otherwise.
   */
  void(exchange: Exchange, hold: Hold, reason: UnservedReason): void | Promise<void> {
    if (hold.rail === 'key') return this.meter.void(hold);
    if (hold.rail === 'free') return this.free.void(hold);
    if (exchange.upfront === undefined) return this.payments.void(hold);
    return this.#oweRefund(exchange, hold, reason);
  }

  async #oweRefund({ upfront, quote, resource }: Exchange, hold: PaymentHold, reason: UnservedReason): Promise<void> {
    if (upfront === undefined || quote === undefined || resource === undefined) return;
    const { method, url: resourceUrl } = resource;
    await this.later
      .refundDue(hold, upfront, { sku: quote.sku, method, resourceUrl, reason })
      .catch((error: unknown) => this.#logger.warn(error));
  }
}
