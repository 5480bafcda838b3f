import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Exchange } from './exchange.js';

interface Lock {
  readonly exchange: Exchange;
  readonly refuse: () => void;
  readonly writeHead: ServerResponse['writeHead'];
  readonly write: ServerResponse['write'];
  readonly end: ServerResponse['end'];
  readonly flushHeaders: ServerResponse['flushHeaders'];
}
const slot = Symbol('keyfare.lock');
type Locked = ServerResponse & { readonly [slot]: Lock };

/**
 * A handler that writes to Node's response, takes it over, or sends early hints, passes the way out by. Until the answer
 * may leave nothing of that reaches the socket: `refuse` is called instead, which answers and ends the hold. It does not
 * throw, for a handler writes from callbacks as well, where an error would end the process. What it writes
 * after the answer has gone is dropped.
 */
export function lockRaw(reply: FastifyReply, exchange: Exchange, refuse: () => void): void {
  const raw: ServerResponse & Partial<Record<typeof slot, Lock>> = reply.raw;
  const { writeHead, write, end, flushHeaders } = raw;
  raw[slot] = { exchange, refuse, writeHead, write, end, flushHeaders };
  raw.writeHead = lockedWriteHead as ServerResponse['writeHead'];
  raw.write = lockedWrite as ServerResponse['write'];
  raw.end = lockedEnd as ServerResponse['end'];
  raw.flushHeaders = lockedFlushHeaders;
  raw.writeEarlyHints = nothing;
  raw.writeProcessing = nothing;
  reply.hijack = lockedHijack;
}

function nothing(): void {
  // An interim response would show headers before the money is sure.
}

function lockedHijack(this: FastifyReply): FastifyReply {
  const lock = (this.raw as unknown as Locked)[slot];
  if (!lock.exchange.mayLeave) lock.refuse();
  return this;
}

function lockedWriteHead(this: Locked, ...args: Parameters<ServerResponse['writeHead']>): ServerResponse {
  const lock = this[slot];
  if (this.writableEnded) return this;
  if (lock.exchange.mayLeave) return lock.writeHead.apply(this, args);
  lock.refuse();
  return this;
}

function lockedWrite(this: Locked, ...args: Parameters<ServerResponse['write']>): boolean {
  const lock = this[slot];
  if (this.writableEnded) return false;
  if (lock.exchange.mayLeave) return lock.write.apply(this, args);
  lock.refuse();
  return false;
}

function lockedEnd(this: Locked, ...args: unknown[]): ServerResponse {
  const lock = this[slot];
  if (this.writableEnded) return this;
  if (lock.exchange.mayLeave) return lock.end.apply(this, args as Parameters<ServerResponse['end']>);
  lock.refuse();
  return this;
}

function lockedFlushHeaders(this: Locked): void {
  const lock = this[slot];
  if (this.writableEnded) return;
  if (lock.exchange.mayLeave) lock.flushHeaders.call(this);
  else lock.refuse();
}
