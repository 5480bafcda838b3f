import { Problem } from '@keyfare/core/problem';
import { monthOf, unixSeconds } from '@keyfare/core/time';
import { findNetwork, formatPaymentResponse, type SettlementHeader } from '@keyfare/core/x402';
import { asProblem } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { FreeService } from '../free/free.service.js';
import type { FreeHold } from '../free/hold.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import { attachReceipt } from './attach.js';
import type { Exchange, Leaving } from './exchange.js';
import { limitHeaders } from './free-entry.js';
import { PostOffice } from './post.js';
import { ExchangeReceipts } from './receipts.js';

/** The last step of a free call: its receipt over nothing is signed and durable before the answer leaves. */
@Injectable()
export class FreePosts {
  constructor(
    private readonly config: GateConfig,
    private readonly free: FreeService,
    private readonly receipts: ExchangeReceipts,
    private readonly signer: ReceiptService,
    private readonly office: PostOffice,
  ) {}

  /** The answer is not stored: asked for again, even by the same `Idempotency-Key`, it is another call. */
  async post(call: Leaving, hold: FreeHold): Promise<void> {
    const { exchange, reply } = call;
    const jws = await this.#post(call, hold).catch(async (error: unknown) => {
      await this.free.void(hold);
      throw asProblem(error);
    });
    attachReceipt(reply, exchange, {
      jws,
      responses: this.#responses(exchange),
      headers: { ...limitHeaders(hold.allowance, exchange.openedAt), 'answer-stored': 'false' },
    });
  }

  async #post(call: Leaving, hold: FreeHold): Promise<string> {
    const { quote, id, openedAt } = call.exchange;
    if (quote === undefined) throw new Error('the exchange has no quote');
    const { contentType: _unsaid, requestDigest, ...served } = this.receipts.describe(call);
    const issuedAt = this.config.clock();
    const signed = this.signer.signReceipt(
      {
        version: 1,
        id,
        rail: 'free',
        principal: hold.principal,
        sku: quote.sku,
        ...served,
        units: Number(quote.units),
        ...(requestDigest === undefined ? {} : { requestDigest }),
        amount: '0',
        issuedAt: unixSeconds(issuedAt),
      },
      issuedAt,
    );
    const isFirst = await this.office.postFreeCall({
      ...signed,
      id,
      principal: hold.principal,
      keyId: null,
      sku: quote.sku,
      units: quote.units,
      periodStart: monthOf(openedAt).start,
      occurredAt: openedAt,
    });
    const jws = isFirst ? signed.jws : await this.receipts.findPosted(id);
    // Peers took this process for dead and gave its free calls back: another call may have this one by now.
    if (jws === null) throw new Problem('service/overloaded', undefined, { headers: { 'retry-after': '1' } });
    return jws;
  }

  /** What x402 says of a payment that moved nothing: its authorization may be used for another call. */
  #responses({ principal }: Exchange): readonly SettlementHeader[] {
    if (principal?.kind !== 'payer') return [];
    const { payer, network, payment } = principal;
    const settlement = { success: true, network: findNetwork(network) ?? this.config.network, payer, amount: 0n };
    return [formatPaymentResponse(payment.x402Version, settlement)];
  }
}
