import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '@keyfare/core/problem';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** One file of the site, as it is sent. */
interface SiteFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly cacheControl: string;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** Files whose names change with their contents: those of the theme, and the parts of the search index. */
const hashed = /^(?:assets\/|pagefind\/(?:fragment|index)\/|pagefind\/pagefind\.\w+\.pf_meta$)/;

const headers = {
  // The search index is WebAssembly, run in a worker of its own. Nothing may come from, or go to, anywhere else.
  'content-security-policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * Serves the documentation under `/docs/`, as routes of Fastify that cost nothing and look at no credential. All files
 * are read now: a request names one of them or gets 404, and never a path of the disk. Without a built site `/docs`
 * says so.
 */
export function serveDocs(app: NestFastifyApplication, folder: string | null = findSite()): void {
  const files = folder === null ? new Map<string, SiteFile>() : readSite(folder);
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  if (files.size === 0) {
    fastify.log.warn('the documentation is not built: /docs has no pages');
    fastify.get('/docs', refuse);
    fastify.get('/docs/*', refuse);
    return;
  }
  fastify.get('/docs', (_request, reply) => reply.redirect('docs/', 308));
  fastify.get<{ Params: { '*': string } }>('/docs/*', (request, reply) => {
    const path = request.params['*'];
    const file = files.get(path === '' || path.endsWith('/') ? `${path}index.html` : path);
    if (file === undefined) throw new Problem('request/not-found', 'The documentation has no such page.');
    return send(request, reply, file);
  });
}

function refuse(): never {
  throw new Problem('request/not-found', 'The documentation is not part of this installation.');
}

/** Where the site is when it was built; null where its package is not installed. */
function findSite(): string | null {
  try {
    return join(dirname(fileURLToPath(import.meta.resolve('@keyfare/docs/package.json'))), 'dist', 'site');
  } catch {
    return null;
  }
}

/** Every file by its address. A folder that is not there has none. */
function readSite(folder: string): ReadonlyMap<string, SiteFile> {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  } catch {
    return new Map();
  }
  return new Map(names.map((name) => [name.split(sep).join('/'), readFile(folder, name)]));
}

function readFile(folder: string, name: string): SiteFile {
  const bytes = readFileSync(join(folder, name));
  return {
    bytes,
    type: types[extname(name)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    cacheControl: hashed.test(name.split(sep).join('/')) ? 'public, max-age=31536000, immutable' : 'public, no-cache',
  };
}

/** RFC 9110 §13.1.2: a browser that has this version gets no second copy. */
function send(request: FastifyRequest, reply: FastifyReply, file: SiteFile): FastifyReply {
  void reply.headers(headers).header('etag', file.etag).header('cache-control', file.cacheControl);
  const known = request.headers['if-none-match'];
  const isKnown = known === '*' || known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === file.etag);
  if (isKnown === true) return reply.status(304).send();
  return reply.type(file.type).send(file.bytes);
}
