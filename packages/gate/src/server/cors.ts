import type { AbstractHttpAdapter } from '@nestjs/core';

/** What a page must be able to read of an answer; a browser hides every other header. */
const exposedHeaders = [
  'PAYMENT-REQUIRED',
  'PAYMENT-RESPONSE',
  'X-PAYMENT-RESPONSE',
  'Keyfare-Receipt',
  'Receipt-Id',
  'Idempotent-Replay',
  'Retry-After',
  'WWW-Authenticate',
  'Allow',
];

const day = 86_400;

/**
 * Lets pages of these origins call the API (Fetch standard, CORS protocol). Any header may be sent, for hosts have their
 * own beside ours, and no cookie: nothing here looks at one. A preflight is answered before the gate, so it costs nothing.
 * Null leaves the matter to the host.
 */
export function allowOrigins(adapter: AbstractHttpAdapter, origins: '*' | readonly string[] | null): void {
  if (origins === null) return;
  const options = {
    origin: origins === '*' ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    credentials: false,
    maxAge: day,
    // An OPTIONS request that is no preflight is answered like one.
    strictPreflight: false,
  };
  adapter.enableCors(options);
}
