import { parseJwks } from '@keyfare/core/receipt';
import type { GateConfig } from '@keyfare/gate/deployment';
import { codeOf } from '../http/refusal.js';
import { isInTheClear } from '../settings.js';
import { type Finding, fail, ok, wordsOf } from './finding.js';
import { publicX } from './keys.js';

const timeoutMs = 5_000;
const started = 'start the API, or set PUBLIC_URL to the origin at which callers reach it';

/** Looks at the service as its callers do: at `PUBLIC_URL`. */
export async function* checkService(config: GateConfig): AsyncGenerator<Finding> {
  const { isProduction } = config;
  // What callers put in front of a path: an origin, and maybe a path of its own.
  const publicUrl = new URL(config.publicUrl);
  yield isProduction && isInTheClear(publicUrl)
    ? fail(
        'service.https',
        `${publicUrl.origin} is not encrypted: keys and paid answers go over the wire as they are`,
        'put a certificate before the service, and https into PUBLIC_URL',
      )
    : ok(
        'service.https',
        publicUrl.protocol === 'https:'
          ? 'encrypted'
          : `not encrypted, and ${isProduction ? 'on this machine only' : 'not in production'}`,
      );
  const healthy = await checkHealth(publicUrl);
  yield healthy;
  if (healthy.status === 'ok') yield await checkKeys(publicUrl, publicX(config));
}

async function checkHealth(publicUrl: URL): Promise<Finding> {
  const name = 'service.health';
  try {
    const { status, body } = await fetchText(at(publicUrl, '/healthz'));
    // A host's own service may have none.
    if (status === 404) return ok(name, `${publicUrl.origin} answers, and has no /healthz`);
    if (status === 200 && /"status"\s*:\s*"ok"/.test(body)) return ok(name, `${publicUrl.origin} is healthy`);
    return fail(name, `${publicUrl.origin}/healthz answers ${status}, and not as this service does`, started);
  } catch (error) {
    return fail(name, `${publicUrl.origin} cannot be reached (${codeOf(error)})`, started);
  }
}

async function checkKeys(publicUrl: URL, x: string): Promise<Finding> {
  const name = 'service.keys';
  const url = at(publicUrl, '/.well-known/jwks.json');
  try {
    const { status, body } = await fetchText(url);
    if (status !== 200) return fail(name, `${url.href} answers ${status}`, started);
    const { keys } = parseJwks(JSON.parse(body));
    if (keys.some((key) => key.x === x)) return ok(name, 'it publishes the key that receipts are signed with');
    return fail(
      name,
      `${url.href} does not have the key of RECEIPT_SIGNING_KEY: another deployment, or one with another key, answers there`,
      'start the API with this environment, or set PUBLIC_URL to the origin of this deployment',
    );
  } catch (error) {
    return fail(name, `${url.href} is no key set (${wordsOf(error)})`, started);
  }
}

function at(base: URL, path: string): URL {
  return new URL(`${base.href.replace(/\/$/, '')}${path}`);
}

/** A GET with a bound on time. Redirects are answers: offers and receipts name the origin as it is. */
export async function fetchText(url: URL): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, body: await response.text() };
}
