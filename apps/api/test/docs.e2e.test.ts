import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from '@keyfare/fixtures/browser';
import { createAdapter, createLogger, ProblemFilter, RouteTable } from '@keyfare/gate/server';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { serveDocs } from '../src/docs.js';
import { type Api, type Ground, openGround, startApi } from './api-process.js';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
type Page = Awaited<ReturnType<Browser['newPage']>>;

describe('the documentation at /docs of a running API', () => {
  let ground: Ground;
  let api: Api;
  let browser: Browser;

  beforeAll(async () => {
    ground = await openGround();
    [api, browser] = await Promise.all([startApi(ground), openBrowser()]);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await api.service.stop();
    await ground.close();
  }, 30_000);

  it('is searched and read in a browser with no request to another origin and no error, on a wide and a narrow screen', async () => {
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 375, height: 700 },
    ]) {
      const page = await browser.newPage({ viewport });
      const faults = watch(page, new URL(api.url).origin);
      await page.goto(`${api.url}/docs`);
      expect(page.url()).toBe(`${api.url}/docs/`);
      await page.getByRole('searchbox').fill('exposure');
      const result = page.locator('#found a').first();
      await result.waitFor();
      await result.click();
      await page.waitForURL(/\/docs\/.+\.html/);
      expect((await page.locator('main').innerText()).toLowerCase()).toContain('exposure');
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow).toBe(0);
      expect(faults).toEqual([]);
      await page.close();
    }
  }, 60_000);

  it('answers an unknown page with a 404 problem, and no path leads out of the site', async () => {
    for (const path of [
      '/docs/none.html',
      '/docs/../package.json',
      '/docs/%2e%2e/package.json',
      '/docs/..%2f..%2fpackage.json',
    ]) {
      const { status, body } = await getRaw(api.url, path);
      expect({ path, status }).toEqual({ path, status: 404 });
      expect(JSON.parse(body)).toMatchObject({ code: 'request/not-found' });
    }
  });

  it('forbids every other origin and every inline script, in each page', async () => {
    const response = await fetch(`${api.url}/docs/`);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/,
    );
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe-inline|https?:/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('sends a page once: again only when it changed, and what its name dates never again', async () => {
    const first = await fetch(`${api.url}/docs/`);
    const text = await first.text();
    expect(first.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(first.headers.get('cache-control')).toBe('public, no-cache');
    const etag = first.headers.get('etag') ?? '';
    const again = await fetch(`${api.url}/docs/`, { headers: { 'if-none-match': `"other", W/${etag}` } });
    expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: '' });
    const changed = await fetch(`${api.url}/docs/`, { headers: { 'if-none-match': '"other"' } });
    expect(changed.status).toBe(200);
    const style = /href="(?:\.\/)?(assets\/site-\w+\.css)"/.exec(text)?.[1] ?? 'none';
    const asset = await fetch(`${api.url}/docs/${style}`);
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.headers.get('content-type')).toBe('text/css; charset=utf-8');
  });

  it('takes GET and HEAD only, and a bad key or payment beside them changes nothing', async () => {
    const head = await fetch(`${api.url}/docs/`, { method: 'HEAD' });
    expect({ status: head.status, body: await head.text() }).toEqual({ status: 200, body: '' });
    const post = await fetch(`${api.url}/docs/`, { method: 'POST' });
    expect({ status: post.status, allow: post.headers.get('allow') }).toEqual({ status: 405, allow: 'GET' });
    const bad = { authorization: 'Bearer kf_live_nonsense', 'payment-signature': 'nonsense' };
    expect((await fetch(`${api.url}/docs/`, { headers: bad })).status).toBe(200);
  });
});

describe('an API whose documentation was not built', () => {
  it('starts all the same, and says at /docs that there is none', async () => {
    const app = await serve(join(tmpdir(), 'keyfare-no-such-site'));
    for (const url of ['/docs', '/docs/', '/docs/quick-start.html']) {
      const { statusCode, body } = await app.inject({ method: 'GET', url });
      expect({ url, statusCode }).toEqual({ url, statusCode: 404 });
      expect(JSON.parse(body)).toMatchObject({ detail: 'The documentation is not part of this installation.' });
    }
    await app.close();
  });

  it('serves the files of the folder it is given, and nothing beside it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-site-'));
    mkdirSync(join(folder, 'site', 'part'), { recursive: true });
    writeFileSync(join(folder, 'secret.html'), 'secret');
    writeFileSync(join(folder, 'site', 'part', 'index.html'), 'part');
    const app = await serve(join(folder, 'site'));
    expect((await app.inject({ method: 'GET', url: '/docs/part/' })).body).toBe('part');
    expect((await app.inject({ method: 'GET', url: '/docs/../secret.html' })).statusCode).toBe(404);
    await app.close();
    rmSync(folder, { recursive: true });
  });
});

@Module({ providers: [RouteTable, { provide: APP_FILTER, useClass: ProblemFilter }] })
class BareModule {}

/** A program that has nothing but the documentation of this folder. */
async function serve(folder: string): Promise<NestFastifyApplication> {
  const adapter = createAdapter({ logger: createLogger({ name: 'test', level: 'silent' }) });
  const app = await NestFactory.create<NestFastifyApplication>(BareModule, adapter, { logger: false });
  serveDocs(app, folder);
  await app.init();
  return app;
}

/** What a page asks of others than its own server, and what it complains of. */
function watch(page: Page, origin: string): readonly string[] {
  const faults: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`asks ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  return faults;
}

/** A GET of exactly this path: `fetch` would resolve its dots. */
async function getRaw(url: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port } = new URL(url);
  const request = get({ hostname, port, path });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks = await response.toArray();
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks as Buffer[]).toString() };
}
