import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import type { PaymentTerms } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { FreeService } from '../free/free.service.js';
import type { FreeAllowance, FreeCaller, FreeHold } from '../free/hold.js';
import { FreshPayments } from '../payment/fresh-payments.js';
import { Strangers } from '../strangers.js';
import { networkOf } from '../throttle.js';
import type { Entering, Exchange } from './exchange.js';
import { PaidEntry } from './paid-entry.js';
import { checkDigestible } from './sellable.js';

/** The way in of a free call: who is counted, and what a caller is told of it. */
@Injectable()
export class FreeEntry {
  constructor(
    private readonly free: FreeService,
    private readonly fresh: FreshPayments,
    private readonly paid: PaidEntry,
    private readonly strangers: Strangers,
  ) {}

  /**
   * A free call for a caller without a key; null where the call must be paid for. A wallet proves itself by a payment
   * that it could make and that is not used. 503 when the call cannot be counted, or the wallet not be looked at. Of a
   * dry run nothing is held: `left` where there would be.
   */
  async hold(
    { exchange, request }: Entering,
    payer: PayerPrincipal | null,
    offers: readonly PaymentTerms[],
  ): Promise<FreeHold | 'left' | null> {
    // An account beyond its plan pays by its plan.
    const caller = exchange.account === undefined ? callerOf(exchange, request, payer) : null;
    if (caller === null) return null;
    const { id: exchangeId, openedAt: at } = exchange;
    exchange.freeAllowance = this.free.allowanceOf(caller, at);
    if (payer === null) checkDigestible(request);
    else if (this.free.hasNone(caller, at)) return null;
    else {
      this.strangers.admit(request.ip, payer);
      // As in `PaidEntry.rehearse`: database and node are asked, and no call is used up by it.
      if (exchange.dryRun !== undefined) this.strangers.refused(request.ip, payer, new Problem('payment/required'));
      if (!(await this.fresh.isFresh(payer, offers))) return null;
    }
    if (exchange.dryRun !== undefined) return (await this.free.isSpent(caller, at)) ? null : 'left';
    return this.free.hold(caller, { exchangeId, at });
  }

  /** Whether the 402 may come before the body is read: no free call is left for who shows no credential. */
  isAsked(exchange: Exchange, request: FastifyRequest): true | Promise<boolean> {
    const caller = callerOf(exchange, request, null);
    if (caller === null) return true;
    exchange.freeAllowance = this.free.allowanceOf(caller, exchange.openedAt);
    return this.free.isSpent(caller, exchange.openedAt);
  }

  /** The 402 of who shows no payment, which says since when and until when the free calls are used up. */
  required(exchange: Exchange, offers: readonly PaymentTerms[]): Problem {
    const problem = this.paid.challenge(offers, 'payment/required');
    const free = exchange.account === undefined ? exchange.tariff?.free : undefined;
    if (free === undefined) return problem;
    const allowance = exchange.freeAllowance ?? this.free.allowanceOf({ free }, exchange.openedAt);
    const { calls, per, period } = free;
    const { start, end } = allowance.period;
    const isUsed = exchange.freeAllowance !== undefined;
    const told = {
      calls,
      per,
      period,
      ...(isUsed && { remaining: 0 }),
      since: start.toISOString(),
      until: end.toISOString(),
    };
    return new Problem(problem.code, isUsed ? usedUp(allowance) : showWallet(allowance), {
      extensions: { ...problem.extensions, free: told },
      headers: { ...problem.headers, ...(isUsed && limitHeaders({ ...allowance, remaining: 0 }, exchange.openedAt)) },
    });
  }
}

/**
 * What a caller has left, as draft-ietf-httpapi-ratelimit-headers writes it: a quota of calls in a window of seconds,
 * what remains, and in how many seconds it is whole again.
 */
export function limitHeaders({ free, period, remaining = 0 }: FreeAllowance, at: Date): Record<string, string> {
  const windowSeconds = (period.end.getTime() - period.start.getTime()) / 1_000;
  const leftSeconds = Math.max(0, Math.ceil((period.end.getTime() - at.getTime()) / 1_000));
  return {
    'ratelimit-policy': `"free";q=${free.calls};w=${windowSeconds}`,
    ratelimit: `"free";r=${remaining};t=${leftSeconds}`,
  };
}

/** Who is counted; null where the route gives nothing to a caller of this kind. */
function callerOf({ tariff, quote }: Exchange, request: FastifyRequest, payer: PayerPrincipal | null) {
  const free = tariff?.free;
  if (free === undefined || quote === undefined) return null;
  const caller = free.per === 'address' ? (payer === null ? networkOf(request.ip) : null) : (payer?.payer ?? null);
  return caller === null ? null : ({ sku: quote.sku, free, caller } satisfies FreeCaller);
}

function usedUp({ free: { calls, per }, period }: FreeAllowance): string {
  const until = period.end.toISOString();
  return `No free call is left now: this ${per} has used its ${calls}, or all callers theirs; there are new ones at ${until}.`;
}

function showWallet({ free: { calls, period } }: FreeAllowance): string {
  return `A wallet that shows a payment has ${calls} free calls a ${period}: such a call moves nothing.`;
}
