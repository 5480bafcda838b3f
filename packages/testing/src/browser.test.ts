import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openBrowser } from './browser.js';

const page = `<!doctype html>
<title>local</title>
<p id="text">four</p>
<script>
  document.title = 'script ran';
  globalThis.sum = async (numbers) => numbers.reduce((a, b) => a + b, 0);
</script>`;

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(page));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

describe('openBrowser', () => {
  it('loads a page from a local server, runs its script and lays out its text', async () => {
    const browser = await openBrowser();
    try {
      const tab = await browser.newPage();
      const failures: string[] = [];
      tab.on('pageerror', (error) => failures.push(error.message));
      await tab.goto(url);
      expect(await tab.title()).toBe('script ran');
      expect(await tab.evaluate('sum([1, 2, 3])')).toBe(6);
      const box = await tab.locator('#text').boundingBox();
      expect(box?.height).toBeGreaterThan(0);
      expect((await tab.screenshot()).subarray(1, 4).toString()).toBe('PNG');
      expect(failures).toEqual([]);
    } finally {
      await browser.close();
    }
  }, 60_000);

  it('opens two at once', async () => {
    const browsers = await Promise.all([openBrowser(), openBrowser()]);
    const titles = await Promise.all(
      browsers.map(async (browser) => {
        const tab = await browser.newPage();
        await tab.goto(url);
        return await tab.title();
      }),
    );
    expect(titles).toEqual(['script ran', 'script ran']);
    await Promise.all(browsers.map(async (browser) => await browser.close()));
  }, 60_000);
});
