import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
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
const compressible = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt', '.webmanifest']);

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
 * Serves the console below `/console/`: files that were read once, at the start, so that no request reaches the disk.
 * Files below `assets/` have their digest in the name and stay for a year; a path that is no file is one of the page's
 * own, and gets the page.
 */
export async function serveConsole(app: NestFastifyApplication, from = builtAt): Promise<void> {
  const pages = existsSync(join(from, 'index.html')) ? await readPages(from) : new Map<string, Page>();
  const index = pages.get('index.html') ?? (await pageOf(Buffer.from(absent), '.html', false));
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

async function readPages(from: string): Promise<ReadonlyMap<string, Page>> {
  const names = readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const read = names.map(async (name) => {
    const path = relative(from, name).split(sep).join('/');
    return [path, await pageOf(readFileSync(name), extname(name), path.startsWith('assets/'))] as const;
  });
  return new Map(await Promise.all(read));
}

async function pageOf(plain: Buffer, extension: string, isImmutable: boolean): Promise<Page> {
  const packs = compressible.has(extension) && plain.length > 1_000;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } };
  return {
    type: types[extension] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    isImmutable,
    plain,
    br: packs ? await promisify(brotliCompress)(plain, quality) : undefined,
    gzip: packs ? await promisify(gzip)(plain, { level: 9 }) : undefined,
  };
}
