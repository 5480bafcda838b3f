import { Problem } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';

/** Another site's page must not sign a browser in as somebody else. 403 `operator/csrf`. */
export function requireOurPage({ headers }: FastifyRequest): void {
  const { 'sec-fetch-site': site, origin, host } = headers;
  const isHome = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
  if ((site !== undefined && site !== 'same-origin' && site !== 'none') || !isHome) throw new Problem('operator/csrf');
}
