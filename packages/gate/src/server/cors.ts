import type { AbstractHttpAdapter } from '@nestjs/core';
import { type OperatorPaths, operatorPathsOf } from '../operator-paths.js';

/** What a page must be able to read of an answer; a browser hides every other header. */
const exposedHeaders = [
  'PAYMENT-REQUIRED',
  'PAYMENT-RESPONSE',
  'X-PAYMENT-RESPONSE',
  'Keyfare-Receipt',
  'Receipt-Id',
  'Idempotent-Replay',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'Allow',
  'Link',
];

const day = 86_400;

/** The pages that may call, `*` for all; null leaves the matter to the host. */
export type AllowedOrigins = '*' | readonly string[] | null;

const policies = new WeakMap<object, AllowedOrigins>();

interface Asking {
  readonly method: string;
  readonly url: string;
  readonly routeOptions: { readonly url?: string };
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** Whether a browser asks before its call (Fetch standard §3.3). */
export function asksBeforeCall({ method, headers }: Pick<Asking, 'method' | 'headers'>): boolean {
  return (
    method === 'OPTIONS' && headers['origin'] !== undefined && headers['access-control-request-method'] !== undefined
  );
}

/**
 * Lets pages of these origins call the API (Fetch standard, CORS protocol). Any header may be sent, for hosts have
 * their own beside ours, and no cookie: nothing here looks at one. A preflight is answered before the gate, so it costs
 * nothing; any other OPTIONS goes where its route is, and may be sold there. The routes of operators have a list of
 * their own.
 */
export function allowOrigins(
  adapter: AbstractHttpAdapter,
  origins: AllowedOrigins,
  operatorOrigins: AllowedOrigins,
): void {
  policies.set(adapter, origins);
  if (origins === null && operatorOrigins === null) return;
  const paths = operatorPathsOf(adapter);
  const ways = { calls: optionsOf(origins), operators: optionsOf(operatorOrigins) };
  adapter.enableCors((request: Asking, done: (error: null, options: object) => void) => {
    const { preflight, call } = isOperators(request, paths) ? ways.operators : ways.calls;
    done(null, asksBeforeCall(request) ? preflight : call);
  });
}

/** By its route; a preflight has none of its own. */
function isOperators({ routeOptions, url }: Asking, paths: OperatorPaths): boolean {
  const route = routeOptions.url;
  return route === undefined || route.includes('*') ? paths.leadsThere(url) : paths.hasRoute(route);
}

function optionsOf(origins: AllowedOrigins): { readonly preflight: object; readonly call: object } {
  if (origins === null) return { preflight: { origin: false }, call: { origin: false, preflight: false } };
  const preflight = {
    origin: origins === '*' ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders,
    credentials: false,
    maxAge: day,
  };
  return { preflight, call: { ...preflight, preflight: false } };
}

/**
 * The CORS headers of an answer that no hook sees, to a page of `origin`, where that is known. Null when there are
 * none: a single origin that is allowed may stand in every answer, of several only the one that asks.
 */
export function rawCorsHeaders(adapter: object, origin: string | undefined): Readonly<Record<string, string>> {
  const origins = policies.get(adapter) ?? null;
  if (origins === null) return {};
  const [only, another] = origins === '*' ? ['*'] : origins;
  const allowed = another === undefined ? only : origins.includes(origin ?? '') ? origin : undefined;
  return {
    ...(origins === '*' ? {} : { Vary: 'Origin' }),
    ...(allowed === undefined ? {} : { 'Access-Control-Allow-Origin': allowed }),
    'Access-Control-Expose-Headers': exposedHeaders.join(', '),
  };
}
