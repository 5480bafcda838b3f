import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Where the build of the console lies beside this one. */
const builtAt = fileURLToPath(new URL('../../../../console/dist/page/', import.meta.url));

/** Nothing but what this origin serves: no inline code, no other host, in no frame (CSP level 3). */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ');

const manners = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'x-frame-options': 'DENY',
} as const;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

interface Page {
  readonly type: string;
  readonly etag: string;
  readonly isImmutable: boolean;
  readonly plain: Buffer;
  readonly br: Buffer | undefined;
  readonly gzip: Buffer | undefined;
}

const absent = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Keyfare</title>
<p>Keyfare billing. This build has no page for the console; its HTTP API is described at
<a href="/openapi.json">/openapi.json</a>, and <code>keyfare</code> speaks it from a terminal.</p></html>`;

/**
 * Serves the console below `/console/`: files that were read once, at the start, so that no request reaches the disk,
 * with their compressed forms, which are the build's. Files below `assets/` have their digest in the name and stay for
 * a year; a path that is no file is one of the page's own, and gets the page.
 */
export function serveConsole(app: NestFastifyApplication, from = builtAt): void {
  const pages = existsSync(join(from, 'index.html')) ? readPages(from) : new Map<string, Page>();
  const index = pages.get('index.html') ?? pageOf(Buffer.from(absent), '.html');
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.get('/', async (_request, reply) => reply.headers(manners).redirect('/console/', 302));
  fastify.get('/console', async (_request, reply) => reply.headers(manners).redirect('/console/', 302));
  fastify.get<{ Params: { '*': string } }>('/console/*', async (request, reply) => {
    const path = request.params['*'];
    const page = pages.get(path);
    if (page === undefined && path.startsWith('assets/')) {
      return reply.headers(manners).status(404).type('text/plain; charset=utf-8').send('There is no such file.\n');
    }
    return send(request, reply, page ?? index);
  });
}

function send({ headers }: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
  const accepted = headers['accept-encoding'] ?? '';
  const [bytes, encoding] =
    page.br !== undefined && /\bbr\b/.test(accepted)
      ? [page.br, 'br']
      : page.gzip !== undefined && /\bgzip\b/.test(accepted)
        ? [page.gzip, 'gzip']
        : [page.plain, undefined];
  void reply
    .headers(manners)
    .header('vary', 'accept-encoding')
    .header('cache-control', page.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('etag', page.etag)
    .type(page.type);
  if (headers['if-none-match'] === page.etag) return reply.status(304).send();
  if (encoding !== undefined) void reply.header('content-encoding', encoding);
  return reply.send(bytes);
}

function readPages(from: string): ReadonlyMap<string, Page> {
  const files = readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const pages = files
    .filter((file) => !isPacked(file))
    .map((file) => [relative(from, file).split(sep).join('/'), pageOf(readFileSync(file), extname(file))] as const);
  return new Map(
    pages.map(([path, page]) => {
      const packed = (ending: string) =>
        files.includes(join(from, path + ending)) ? readFileSync(join(from, path + ending)) : undefined;
      return [path, { ...page, isImmutable: path.startsWith('assets/'), br: packed('.br'), gzip: packed('.gz') }];
    }),
  );
}

/** The compressed form of another file, which the build put beside it. */
function isPacked(file: string): boolean {
  return file.endsWith('.br') || file.endsWith('.gz');
}

function pageOf(plain: Buffer, extension: string): Page {
  return {
    type: types[extension] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    isImmutable: false,
    plain,
    br: undefined,
    gzip: undefined,
  };
}
