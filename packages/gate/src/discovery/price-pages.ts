import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Page } from './serve-page.js';
import { servePage } from './serve-page.js';

/** A price as it was recorded. */
interface Recorded {
  readonly id: string;
  readonly sku: string;
  /** JSON. */
  readonly terms: string;
  readonly firstSeenAt: Date;
}

/** Where recorded prices are found. */
interface Records {
  find(id: string): Promise<Recorded>;
  history(sku: string): Promise<readonly Recorded[]>;
}

/** Serves the price list at `/prices`, the prices that a product has had, and any price that ever was by its id. */
export function servePrices(
  fastify: FastifyInstance,
  { mount, records, list }: { mount: string; records: Records; list: Page['text'] },
): void {
  servePage(fastify, { path: `${mount}/prices`, mimeType: 'application/json; charset=utf-8', text: list });
  fastify.get<{ Params: { id: string } }>(`${mount}/prices/:id`, async ({ params }, reply) => {
    const price = await records.find(params.id);
    // What an id names never changes.
    return send(reply, show(price), 'public, max-age=31536000, immutable');
  });
  fastify.get<{ Params: { sku: string } }>(`${mount}/prices/skus/:sku`, async ({ params }, reply) => {
    const prices = await records.history(params.sku);
    return send(reply, { sku: params.sku, prices: prices.map(show) }, 'public, max-age=60');
  });
}

function show({ id, sku, terms, firstSeenAt }: Recorded): object {
  return { id, sku, terms: JSON.parse(terms) as unknown, firstSeenAt: firstSeenAt.toISOString() };
}

function send(reply: FastifyReply, document: object, caching: string): FastifyReply {
  void reply.header('cache-control', caching).type('application/json; charset=utf-8');
  return reply.send(JSON.stringify(document));
}
