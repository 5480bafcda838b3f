import type { FastifyReply } from 'fastify';
import { isStream } from './answer-bytes.js';
import type { Headers, Sealed } from './exchange.js';

/**
 * Headers, reason and trailers are as they were when the handler began, whether they were set on the reply or on Node's
 * response.
 */
export function restoreHeaders(reply: FastifyReply, before: Headers | undefined): void {
  setHeaders(reply, before ?? {});
  reply.raw.statusMessage = '';
  for (const slot of Object.getOwnPropertySymbols(reply)) {
    if (slot.description === 'fastify.reply.trailers') Object.assign(reply, { [slot]: null });
  }
}

/** What CORS plugins set, which a refusal keeps even where nobody noted the headers before the handler. */
export function headersOfPlugins(reply: FastifyReply): Headers {
  const kept = Object.entries(reply.getHeaders()).filter(
    ([name]) => name === 'vary' || name.startsWith('access-control-'),
  );
  return Object.fromEntries(kept);
}

/** Undoes what a handler that still runs did to status and headers after its answer was signed for. */
export function keepSealed(reply: FastifyReply, { status, headers }: Sealed): void {
  if (reply.raw.statusCode !== status) reply.status(status);
  const now = reply.getHeaders();
  const names = Object.keys(now);
  const isSame = names.length === Object.keys(headers).length && names.every((name) => now[name] === headers[name]);
  if (!isSame) setHeaders(reply, headers);
}

/** Ends a stream that nobody will read. An error of it comes too late for anybody to care. */
export function discard(payload: unknown): void {
  if (!isStream(payload)) return;
  if ('getReader' in payload) {
    (payload as unknown as ReadableStream).cancel().catch(() => undefined);
    return;
  }
  payload.on?.('error', () => undefined);
  payload.destroy?.();
}

function setHeaders(reply: FastifyReply, headers: Headers): void {
  for (const name of Object.keys(reply.getHeaders())) {
    void reply.removeHeader(name);
    reply.raw.removeHeader(name);
  }
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) void reply.header(name, value);
}
