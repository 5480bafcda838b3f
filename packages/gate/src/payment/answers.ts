import { Problem, type ProblemCode } from '@keyfare/core/problem';
import { formatPaymentRequired, type PaymentTerms } from '@keyfare/core/x402';
import { asProblem } from '@keyfare/db/sql';
import { ChainUnavailable, FeeTooHigh } from '@keyfare/evm/chain';
import { isOtherChain } from '../other-chain.js';
import type { KnownPayment } from './call.js';
import type { PaymentRow } from './payment-row.js';

/** What a payment is presented for, as far as an answer to it needs to know. */
export interface Presented {
  /** The offers of the route, the preferred one first. */
  readonly terms: readonly PaymentTerms[];
  readonly fingerprint: Buffer;
}

/** A 402 with the offers for both versions of x402: a header for the second, members of the body for the first. */
export function challenge(
  terms: readonly PaymentTerms[],
  code: ProblemCode,
  { detail, headers }: { readonly detail?: string | undefined; readonly headers?: Record<string, string> } = {},
): Problem {
  const { header, v1 } = formatPaymentRequired(terms, { error: detail ?? code });
  const link = terms[0]?.about?.link;
  return new Problem(code, detail, {
    extensions: { ...v1 },
    headers: {
      'payment-required': header,
      'cache-control': 'no-store',
      ...(link !== undefined && { link }),
      ...headers,
    },
  });
}

/** Never a fresh 402 while money may have moved. */
export function outcomeUnknown(cause?: unknown): Problem {
  return new Problem('payment/outcome-unknown', undefined, { cause, headers: { 'retry-after': '5' } });
}

/** 409: the payment is being worked on. */
export function inProgress(retryAfterSeconds: number): Problem {
  return new Problem('payment/in-progress', undefined, { headers: { 'retry-after': String(retryAfterSeconds) } });
}

/** 503 that asks to come back later: nothing was charged. */
export function comeBack(code: ProblemCode, detail: string, retryAfterSeconds: number): Problem {
  return new Problem(code, detail, { headers: { 'retry-after': String(retryAfterSeconds) } });
}

/**
 * The same error, or a 503 in place of a chain or a database that is away, of a node of another chain, or of gas above
 * the ceiling.
 */
export function toProblem(error: unknown): unknown {
  if (error instanceof ChainUnavailable || isOtherChain(error)) {
    return new Problem('service/chain-unavailable', undefined, { cause: error });
  }
  if (error instanceof FeeTooHigh) return comeBack('payment/gas-ceiling', 'Gas costs more than is paid here.', 30);
  return asProblem(error);
}

/** What a payment that was presented before is answered with: what is known of it, or the problem that says why not. */
export function answerKnown(row: PaymentRow, { terms, fingerprint }: Presented): KnownPayment {
  if (!row.fingerprint.equals(fingerprint)) throw challenge(terms, 'payment/replayed');
  if (row.state === 'claimed' || (row.state === 'settling' && row.waiting)) throw inProgress(1);
  if (row.state === 'failed' || row.state === 'expired') {
    const detail = `The settlement failed: ${row.failure ?? 'no reason is known'}.`;
    throw challenge(terms, 'payment/failed', { detail });
  }
  if (row.refund_due_at !== null) throw new Problem('payment/refund-due');
  const { call } = row;
  if (call === null && row.flow === 'upfront' && row.state !== 'settling') throw inProgress(1);
  if (call === null || (row.flow !== 'deferred' && row.transaction === null)) throw outcomeUnknown();
  return {
    rail: 'known',
    exchangeId: row.exchange_id,
    state: row.state,
    flow: row.flow,
    call,
    transaction: row.transaction,
    network: row.network,
    payer: row.payer,
    amount: BigInt(row.amount),
    failure: row.failure,
    waiting: row.waiting,
  };
}
