import { createReadStream, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fundedPayer } from '@keyfare/devstack/payers';
import { openBrowser } from '@keyfare/fixtures/browser';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, signPayment, withKey } from './requests.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' };
const page = `<!doctype html><title>receipts</title>
<script type="importmap">{"imports":{
  "@noble/ed25519":"/node_modules/@noble/ed25519/index.js",
  "@noble/hashes/":"/node_modules/@noble/hashes/",
  "zod":"/node_modules/zod/index.js"}}</script>
<script type="module">
  import { parseJwks, verifyReceipt } from '/packages/core/dist/src/receipt/index.js';
  window.verify = (jws, keys) => verifyReceipt(jws, parseJwks(keys));
  window.ready = true;
</script>`;

interface Verdict {
  readonly ok: boolean;
  readonly payload?: { readonly rail: string; readonly sku: string };
  readonly reason?: string;
}

type Verify = (jws: string, keys: unknown) => Verdict;

/** The published modules as they are, without a bundler, in a real Chromium. */
describe('in a browser', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let strict: GateUnderTest;
  let files: Server;
  let browser: Awaited<ReturnType<typeof openBrowser>>;

  beforeAll(async () => {
    [ground, browser] = await Promise.all([openGround(), openBrowser()]);
    gate = await startGate(ground, { env: { CORS_ORIGINS: '*' } });
    strict = await startGate(ground, { env: { CORS_ORIGINS: 'https://elsewhere.example' } });
    files = createServer((request, response) => {
      const path = normalize(join(root, request.url ?? '/'));
      if (request.url === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(page);
      else if (!path.startsWith(root) || !existsSync(path)) response.writeHead(404).end();
      else {
        response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
        createReadStream(path).pipe(response);
      }
    });
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', () => resolve()));
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    files.close();
    await gate.close();
    await strict.close();
    await ground.close();
  });

  it('receipts of both rails verify against the published keys, and one changed letter does not', async () => {
    const { secret } = await gate.issueKey();
    const payer = await fundedPayer(ground.chain, 1);
    const { v2 } = await signPayment(ground, payer);
    const answers = [await call(gate, '/ping', withKey(secret)), await call(gate, '/ping', { headers: v2 })];
    const keys = (await call(gate, '/.well-known/jwks.json')).body;
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`);
    await tab.waitForFunction(() => 'ready' in globalThis);
    const verify = async (jws: string): Promise<Verdict> =>
      tab.evaluate(([text, set]) => (globalThis as unknown as { verify: Verify }).verify(text, set), [
        jws,
        keys,
      ] as const);
    const receipts = answers.map(({ headers }) => headers.get('keyfare-receipt') ?? '');
    const verdicts = await Promise.all(receipts.map(verify));
    expect(verdicts.map(({ ok, payload }) => [ok, payload?.rail])).toEqual([
      [true, 'key'],
      [true, 'x402'],
    ]);
    for (const receipt of receipts) {
      const at = receipt.length - 20;
      const changed = `${receipt.slice(0, at)}${receipt[at] === 'A' ? 'B' : 'A'}${receipt.slice(at + 1)}`;
      expect(await verify(changed)).toMatchObject({ ok: false, reason: 'bad-signature' });
    }
  }, 30_000);

  it('a page of another origin gets the offer, calls by key and by wallet, and reads every header of ours', async () => {
    const { secret } = await gate.issueKey();
    const payer = await fundedPayer(ground.chain, 1);
    const { v2 } = await signPayment(ground, payer);
    const { v1 } = await signPayment(ground, payer);
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`);
    const read = async (headers: Record<string, string>) =>
      tab.evaluate(
        async ([url, sent]) => {
          const response = await fetch(url, { headers: sent });
          const { code } = (await response.json()) as { code?: string };
          return { status: response.status, code, headers: Object.fromEntries(response.headers) };
        },
        [`${gate.url}/ping`, headers] as const,
      );
    const offer = await read({});
    expect([offer.status, offer.code]).toEqual([402, 'payment/required']);
    expect(offer.headers).toHaveProperty('payment-required');
    const refused = await read({ 'x-api-key': 'kf_test_bad' });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, expect.stringContaining('Bearer')]);
    for (const [sent, header] of [
      [{ authorization: `Bearer ${secret}` }, 'keyfare-receipt'],
      [{ 'x-api-key': secret }, 'receipt-id'],
      [v2, 'payment-response'],
      [v1, 'x-payment-response'],
    ] as const) {
      const answer = await read(sent);
      expect(answer.status).toBe(200);
      expect(answer.headers).toHaveProperty(header);
      expect(answer.headers).toHaveProperty('keyfare-receipt');
    }
  }, 30_000);

  it('a page of an origin that is not named can read nothing', async () => {
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/`);
    const outcome = await tab.evaluate(
      async (url) => fetch(url).then(String, (error: Error) => error.name),
      `${strict.url}/free`,
    );
    expect(outcome).toBe('TypeError');
  }, 30_000);

  it('a preflight is answered with 204, costs nothing and needs no credential; an unknown address is still a 404', async () => {
    const preflight = {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,payment-signature',
      },
    };
    const answer = await call(gate, '/ping', preflight);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,payment-signature');
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
    expect((await call(gate, '/ping', { method: 'OPTIONS' })).status).toBe(405);
    expect((await call(gate, '/nowhere')).status).toBe(404);
  });
});
