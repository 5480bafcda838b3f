import type { paths as BillingPaths } from '@keyfare/api-types/billing';
import type { paths as GatePaths } from '@keyfare/api-types/gate';
import createClient from 'openapi-fetch';
import { askAtDoor } from './door.js';
import { offline, problemOf } from './problem.js';
import { sessionStore, setSession } from './session.js';

const reading = new Set(['GET', 'HEAD']);

/** One key for a change, however often it is sent: also where `crypto.randomUUID` is kept to pages with TLS. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * Sends with the session's cookie. A change carries the session's CSRF token and a key under which it happens once; a
 * session that has ended, or a password that is asked for again, is waited for and the same request sent again.
 */
async function send(request: Request): Promise<Response> {
  const isChange = !reading.has(request.method);
  const { pathname } = new URL(request.url);
  // A customer signs in with a key, on a page of its own.
  const isSession = pathname.startsWith('/session') || pathname.startsWith('/me');
  if (isChange && !isSession) request.headers.set('idempotency-key', newKey());
  for (;;) {
    const attempt = request.clone();
    const csrf = sessionStore.read()?.csrf;
    if (isChange && csrf !== undefined && !pathname.startsWith('/me')) attempt.headers.set('x-csrf-token', csrf);
    const response = await fetch(attempt).catch(() => {
      throw offline();
    });
    if (response.status !== 401 && response.status !== 403) return response;
    const { code } = problemOf(
      response.status,
      await response
        .clone()
        .json()
        .catch(() => undefined),
    );
    if (code === 'operator/unauthorized' && !isSession) await askAtDoor('sign-in');
    else if (code === 'operator/confirm') await askAtDoor('password');
    else return response;
  }
}

const here = window.location.origin;
/** Billing, as it is told in its own OpenAPI document. */
export const billing = createClient<BillingPaths>({ baseUrl: here, fetch: send });
/** The API's routes of operators, through billing. */
export const gate = createClient<GatePaths>({ baseUrl: `${here}/gate`, fetch: send });

interface Answered<T> {
  readonly data?: T | undefined;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of an answer that went well. Throws an `ApiProblem`. */
export async function ok<T>(asked: Promise<Answered<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await asked;
  if (!response.ok) throw problemOf(response.status, error);
  return data as NonNullable<T>;
}

/** The same with the validator that a change of it must name (`If-Match`, RFC 9110 §13.1.1). */
export async function tagged<T>(
  asked: Promise<Answered<T>>,
): Promise<{ readonly data: NonNullable<T>; readonly etag: string }> {
  const answer = await asked;
  return { data: await ok(Promise.resolve(answer)), etag: answer.response.headers.get('etag') ?? '' };
}

/** Reads who has signed in; null for nobody. */
export async function readSession(): Promise<void> {
  const { data, error, response } = await billing.GET('/session');
  if (response.status === 401) setSession(null);
  else if (data === undefined) throw problemOf(response.status, error);
  else setSession(data);
}
