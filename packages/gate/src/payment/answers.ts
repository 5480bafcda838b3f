import type { Hex } from '@keyfare/core/encoding';
import { Problem, type ProblemCode } from '@keyfare/core/problem';
import { type Address, formatPaymentRequired, type PaymentTerms } from '@keyfare/core/x402';
import { asProblem } from '@keyfare/db/sql';
import { ChainUnavailable } from '@keyfare/evm/chain';
import type { PaidCall } from './call.js';
import type { PaymentRow } from './payment-row.js';

/** A payment that was served before: its answer, to be given again. */
export interface Replay {
  readonly rail: 'replay';
  readonly exchangeId: string;
  readonly call: PaidCall;
  readonly body: Buffer;
  readonly transaction: Hex;
  readonly payer: Address;
  readonly amount: bigint;
}

/** What a payment is presented for, as far as an answer to it needs to know. */
export interface Presented {
  readonly terms: PaymentTerms;
  readonly fingerprint: Buffer;
}

/** A 402 with the offer for both versions of x402: a header for the second, members of the body for the first. */
export function challenge(
  terms: PaymentTerms,
  code: ProblemCode,
  { detail, headers }: { readonly detail?: string | undefined; readonly headers?: Record<string, string> } = {},
): Problem {
  const { header, v1 } = formatPaymentRequired(terms, { error: detail ?? code });
  return new Problem(code, detail, {
    extensions: { ...v1 },
    headers: { 'payment-required': header, 'cache-control': 'no-store', ...headers },
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

/** The same error, or a 503 in place of a chain or a database that is away. */
export function toProblem(error: unknown): unknown {
  if (error instanceof ChainUnavailable) return new Problem('service/chain-unavailable', undefined, { cause: error });
  return asProblem(error);
}

/** What a payment that was presented before is answered with: its response again, or the problem that says why not. */
export function answerKnown(row: PaymentRow, { terms, fingerprint }: Presented): Replay {
  if (!row.fingerprint.equals(fingerprint)) throw challenge(terms, 'payment/replayed');
  if (row.state === 'claimed' || (row.state === 'submitted' && row.waiting)) throw inProgress(1);
  if (row.state === 'failed') {
    const detail = `The settlement failed: ${row.failure ?? 'no reason is known'}.`;
    throw challenge(terms, 'payment/failed', { detail });
  }
  if (row.state === 'submitted' || row.call === null || row.transaction === null) throw outcomeUnknown();
  return {
    rail: 'replay',
    exchangeId: row.exchange_id,
    call: row.call,
    body: row.response_body ?? Buffer.alloc(0),
    transaction: row.transaction,
    payer: row.payer,
    amount: BigInt(row.amount),
  };
}
