import type { SettlementHeader } from '@keyfare/core/x402';
import type { FastifyReply } from 'fastify';
import type { Exchange } from './exchange.js';
import { keepSealed } from './reply-headers.js';

/** Common proxies give up at 4,096 bytes of response head; so much is left to what they and the socket add. */
const longestHead = 3_400;
/** Status line, date, connection, content-length, and the separators of some twenty headers. */
const headBesides = 220;

/** What an answer carries of its receipt. */
export interface AttachedReceipt {
  readonly jws: string;
  /** Of another exchange, when a stored answer is given again. */
  readonly receiptId?: string;
  /** How the payment ended, in each version of x402 that the caller has spoken. */
  readonly responses?: readonly SettlementHeader[];
  /** What else the gate says beside the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Puts the receipt on the answer, once. Where the head would become too long for a proxy, the receipt stays behind
 * `/receipts/<Receipt-Id>`. A paid answer belongs to its payer, so no shared cache may keep it (RFC 9111 §5.2.2.7).
 */
export function attachReceipt(
  reply: FastifyReply,
  exchange: Exchange,
  { jws, receiptId = exchange.id, responses = [], headers = {} }: AttachedReceipt,
): void {
  exchange.receiptId = receiptId;
  if (exchange.sealed !== undefined) keepSealed(reply, exchange.sealed);
  reply.header('cache-control', 'private, no-store');
  reply.header('receipt-id', receiptId);
  for (const { header, value } of responses) reply.header(header, value);
  void reply.headers(headers);
  if (headLength(reply) + jws.length <= longestHead) reply.header('keyfare-receipt', jws);
}

function headLength(reply: FastifyReply): number {
  let length = headBesides;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    for (const text of Array.isArray(value) ? value : [value]) length += name.length + String(text).length + 4;
  }
  return length;
}
