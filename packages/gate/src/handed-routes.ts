import type { FastifyInstance, RouteOptions } from 'fastify';

/** What Nest registers routes with, by method; `all` and rarer methods among them. */
const registrars = [
  'get',
  'post',
  'put',
  'patch',
  'delete',
  'head',
  'options',
  'all',
  'search',
  'query',
  'propfind',
  'proppatch',
  'mkcol',
  'copy',
  'move',
  'lock',
  'unlock',
] as const;

type Registrar = (...args: unknown[]) => unknown;

/**
 * Calls `see` with each route that Fastify gets from Nest, and the handler that it is made of. The adapter may wrap a
 * handler, which loses its metadata; so the handler is the one that Nest hands over.
 */
export function watchHandedRoutes(host: object, see: (route: RouteOptions, handler: object) => void): void {
  const adapter = host as Record<string, Registrar | undefined> & { getInstance(): FastifyInstance };
  let current: object | undefined;
  for (const name of registrars) {
    const register = adapter[name]?.bind(adapter);
    if (register === undefined) continue;
    adapter[name] = (...args) => {
      const handler = args.at(-1);
      current = typeof handler === 'function' ? handler : undefined;
      try {
        return register(...args);
      } finally {
        current = undefined;
      }
    };
  }
  adapter.getInstance().addHook('onRoute', (route) => {
    if (current !== undefined) see(route, current);
  });
}
