import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser } from '@keyfare/fixtures/browser';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, openAccount, openGround, startApi } from './api-process.js';

let ground: Ground;
let api: Api;
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  [ground, browser] = await Promise.all([openGround(), openBrowser()]);
  api = await startApi(ground, { CORS_ORIGINS: 'https://shop.example' });
}, 90_000);
afterAll(async () => {
  await browser.close();
  await api.service.stop();
  await ground.close();
}, 30_000);

const target = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21&granularity=hourly';
const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('a priced URL that a person opens', () => {
  it.each([
    ['on a phone in the dark', { width: 360, height: 740, colorScheme: 'dark' as const }],
    ['on a desk in the light', { width: 1_280, height: 800, colorScheme: 'light' as const }],
  ])(
    'shows what it costs and how to call it, %s, without scripts and without another request',
    async (name, how) => {
      const { width, height, colorScheme } = how;
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, javaScriptEnabled: false });
      const tab = await context.newPage();
      const asked: string[] = [];
      const complaints: string[] = [];
      tab.on('request', (request) => asked.push(request.url()));
      tab.on('console', (message) => complaints.push(message.text()));
      const response = await tab.goto(`${api.url}${target}`);
      expect(response?.status()).toBe(402);
      expect(await tab.locator('h1').innerText()).toBe('This call has a price');
      expect(await tab.locator('.price').innerText()).toBe('$0.004 a call');
      expect(await tab.locator('pre').first().innerText()).toBe(
        `curl -H "Authorization: Bearer $API_KEY" '${api.url}${target}'`,
      );
      expect((await tab.locator('li').first().innerText()).toLowerCase()).toContain(ground.payTo);
      // The style was not refused, and nothing is wider than the screen.
      const heading = await tab.locator('h1').boundingBox();
      expect((heading?.x ?? 0) + (heading?.width ?? 0)).toBeLessThanOrEqual(width);
      expect((await tab.locator('main').boundingBox())?.width).toBeLessThanOrEqual(width);
      expect(asked.filter((url) => !url.endsWith('/favicon.ico'))).toEqual([`${api.url}${target}`]);
      expect(complaints.filter((text) => !text.includes('402'))).toEqual([]);
      const folder = process.env['SCREENSHOTS'];
      if (folder !== undefined) writeFileSync(join(folder, `${name}.png`), await tab.screenshot({ fullPage: true }));
      await context.close();
    },
    60_000,
  );

  it('has the offers of the 402 that programs get, and a head that proxies take', async () => {
    const page = await fetch(`${api.url}${target}`, { headers: { accept, origin: 'https://shop.example' } });
    const json = await fetch(`${api.url}${target}`, { headers: { origin: 'https://shop.example' } });
    expect([page.status, json.status]).toEqual([402, 402]);
    expect(page.headers.get('payment-required')).toBe(json.headers.get('payment-required'));
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(json.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    for (const { headers } of [page, json]) {
      expect(headers.get('vary')?.split(', ')).toEqual(expect.arrayContaining(['Accept', 'Origin']));
      expect(headers.get('cache-control')).toBe('no-store');
      expect([...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('').length).toBeLessThan(3_900);
    }
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('is a document for programs to who shows a credential, good or bad, and where nothing is sold', async () => {
    const { secret } = await openAccount(ground, api, { includedUnits: 100, overage: 'reject' });
    const ask = async (path: string, headers: Record<string, string>) => {
      const response = await fetch(`${api.url}${path}`, { headers: { accept, ...headers } });
      return [response.status, response.headers.get('content-type')];
    };
    expect(await ask(target, { authorization: `Bearer ${secret}` })).toEqual([200, 'application/json; charset=utf-8']);
    expect(await ask(target, { authorization: 'Bearer kf_test_none' })).toEqual([
      401,
      'application/problem+json; charset=utf-8',
    ]);
    expect(await ask(target, { 'payment-signature': 'e30=' })).toEqual([
      400,
      'application/problem+json; charset=utf-8',
    ]);
    expect(await ask('/v1/nothing', {})).toEqual([404, 'application/problem+json; charset=utf-8']);
  });
});
