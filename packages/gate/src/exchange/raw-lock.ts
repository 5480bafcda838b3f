import type { FastifyReply } from 'fastify';
import { GatedResponse } from '../server/gated-response.js';
import type { Exchange } from './exchange.js';

/**
 * Closes the gate of a reply's raw response, and of its socket, until the exchange says that bytes may leave; `refuse`
 * answers whoever writes before. A host with an adapter of its own has plain responses, which become gated ones here.
 */
export function lockRaw(reply: FastifyReply, exchange: Exchange, refuse: () => void): void {
  if (!(reply.raw instanceof GatedResponse)) Object.setPrototypeOf(reply.raw, GatedResponse.prototype as object);
  (reply.raw as GatedResponse).lock({ exchange, refuse });
  reply.hijack = lockedHijack;
}

function lockedHijack(this: FastifyReply): FastifyReply {
  const { gate } = this.raw as GatedResponse;
  if (gate !== undefined && !gate.exchange.mayLeave) gate.refuse();
  return this;
}
