import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** A document that is the same for everybody until the process ends. */
export interface Page {
  readonly path: string;
  /** With its charset. */
  readonly mimeType: string;
  /** Called for the first request, and again only where it fails. */
  readonly text: () => string | Promise<string>;
}

/**
 * Serves a document as a route of Fastify, which a host's prefix, interceptors and versions do not move or change. It
 * is written once, however many ask for it at first; whoever has it already is answered 304 (RFC 9110 §13.1.2).
 */
export function servePage(fastify: FastifyInstance, { path, mimeType, text }: Page): void {
  let writing: Promise<{ readonly body: string; readonly etag: string }> | undefined;
  const write = async () => {
    const body = await text();
    return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
  };
  fastify.get(path, async (request, reply) => {
    writing ??= write();
    const { body, etag } = await writing.catch((error: unknown) => {
      writing = undefined;
      throw error;
    });
    void reply.header('etag', etag).header('cache-control', 'public, max-age=300');
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known?.includes(etag) === true || known?.includes('*') === true) return reply.status(304).send();
    return reply.type(mimeType).send(body);
  });
}
