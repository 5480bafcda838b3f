import { errorCode } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { KeyHold } from '../meter/hold.js';
import { MeterService } from '../meter/meter.service.js';
import { fencedState } from '../replica-id.js';
import { TermsService } from '../terms/terms.service.js';
import { attachReceipt } from './attach.js';
import type { Exchange, Leaving } from './exchange.js';
import { Offers } from './offers.js';
import { ExchangeReceipts, type ServedCall } from './receipts.js';

/** The last step of a call by key: its receipt is signed and durable before the answer leaves. */
@Injectable()
export class KeyPosts {
  constructor(
    private readonly terms: TermsService,
    private readonly meter: MeterService,
    private readonly offers: Offers,
    private readonly receipts: ExchangeReceipts,
  ) {}

  async post(call: Leaving, hold: KeyHold): Promise<void> {
    try {
      await this.#post(call, hold, this.receipts.describe(call));
    } catch (error) {
      if (errorCode(error) !== fencedState) {
        this.meter.void(hold);
        throw error;
      }
      await this.meter.forget(hold);
      await this.#postAgain(call, this.receipts.describe(call));
    }
  }

  async #post({ exchange, reply }: Leaving, hold: KeyHold, served: ServedCall): Promise<void> {
    const { jws, post } = await this.receipts.postKeyCall(exchange, hold, served);
    this.meter.posted(hold, { post, units: hold.units });
    attachReceipt(reply, exchange, { jws });
  }

  /**
   * Peers took this process for dead and swept its lease. The call was served: it is counted on a fresh one, unless a
   * post whose answer was lost had committed, which the sweep has counted then.
   */
  async #postAgain(call: Leaving, served: ServedCall): Promise<void> {
    const { exchange, reply } = call;
    const known = await this.receipts.findPosted(exchange.id);
    if (known !== null) {
      attachReceipt(reply, exchange, { jws: known });
      return;
    }
    const terms = await this.terms.of(accountOf(exchange).accountId);
    const hold = await this.meter.hold(terms, quoteOf(exchange).units, exchange.openedAt);
    if (typeof hold === 'string') throw this.offers.refused(hold, terms, exchange.openedAt);
    await this.#post(call, hold, served).catch((error: unknown) => {
      this.meter.void(hold);
      throw error;
    });
  }
}

function accountOf({ principal }: Exchange) {
  if (principal?.kind !== 'account') throw new Error('a key call without an account');
  return principal;
}

function quoteOf({ quote }: Exchange) {
  if (quote === undefined) throw new Error('the exchange has no quote');
  return quote;
}
