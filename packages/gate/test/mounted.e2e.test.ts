import { generateKeyPairSync } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { fundedPayer } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { AdminModule } from '../src/admin/admin.module.js';
import { GateModule } from '../src/module.js';
import { createAdapter } from '../src/server/index.js';
import { type Ground, openGround } from './gate-under-test.js';
import { type Host, issueKey, optionsOf, quietLogger, startHost } from './host-under-test.js';
import { call, decodeHeader, signPayment, withKey } from './requests.js';

let ground: Ground;

beforeAll(async () => {
  ground = await openGround();
}, 60_000);
afterAll(async () => {
  await ground.close();
});

/** A reverse proxy: takes a path away, adds one, and says whom it asks for. */
async function openReverseProxy({ strip, add }: { strip: string; add: string }) {
  let target = '';
  const server: Server = createServer((incoming, response) => {
    const path = incoming.url ?? '/';
    if (!path.startsWith(strip)) {
      response.writeHead(404).end();
      return;
    }
    const seen = [incoming.headers['x-forwarded-for'], incoming.socket.remoteAddress].filter(Boolean).join(', ');
    const headers = { ...incoming.headers, 'x-forwarded-for': seen };
    const outgoing = request(
      `${target}${add}${path.slice(strip.length)}`,
      { method: incoming.method ?? 'GET', headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${strip}`,
    leadTo: (url: string) => {
      target = url;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/** The name of a receipt key is fixed when it is first published: each of these issuers has its own. */
const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Where a did:web document is (did:web method specification §3.2), over http for a test. */
function documentOf(did: string): string {
  const [host = '', ...path] = did.replace(/^did:web:/, '').split(':');
  const origin = `http://${decodeURIComponent(host)}`;
  return path.length === 0 ? `${origin}/.well-known/did.json` : `${origin}/${path.join('/')}/did.json`;
}

describe.each<[string, { prefix?: string; strip?: string; add?: string }]>([
  ['under a global prefix', { prefix: 'api/v2' }],
  ['behind a proxy that takes a path away', { strip: '/shop/v1' }],
  ['behind a proxy that adds a path', { add: '/inner', prefix: 'inner' }],
  [
    'under a prefix behind a proxy that takes one path away and adds another',
    { strip: '/shop', add: '/in/ner', prefix: 'in/ner/api' },
  ],
])('a gate %s', (_where, { prefix = '', strip = '', add = '' }) => {
  let proxy: Awaited<ReturnType<typeof openReverseProxy>>;
  let host: Host;
  /** Where callers find the routes. */
  let front: { url: string };
  const mount = add === '' ? {} : { mountPath: add };

  beforeAll(async () => {
    proxy = await openReverseProxy({ strip, add });
    host = await startHost({
      imports: [
        GateModule.forRoot({ ...optionsOf(ground), receiptSigningKey: newKey(), publicUrl: proxy.url, ...mount }),
      ],
      prepare: (app) => (prefix === '' ? undefined : app.setGlobalPrefix(prefix)),
    });
    proxy.leadTo(host.url);
    const beyond = `/${prefix}`.slice(add.length).replace(/\/$/, '');
    front = { url: `${proxy.url}${beyond}` };
  }, 60_000);
  afterAll(async () => {
    await host.close();
    await proxy.close();
  });

  it('offers and signs the URL that was called, and its receipt is found again at the public URL', async () => {
    const offered = await call(front, '/ping');
    expect(offered.status).toBe(402);
    expect(decodeHeader(offered.headers, 'payment-required')).toMatchObject({ resource: { url: `${front.url}/ping` } });
    const { v2 } = await signPayment(ground, await fundedPayer(ground.chain, 4_201));
    const served = await call(front, '/ping?a=b', { headers: v2 });
    expect(served.status).toBe(200);
    const jws = served.headers.get('keyfare-receipt') ?? '';
    const keys = parseJwks((await call(proxy, '/.well-known/jwks.json')).body);
    const verdict = verifyReceipt(jws, keys);
    expect(verdict).toMatchObject({ ok: true, payload: { resourceUrl: `${front.url}/ping?a=b` } });
    const again = await fetch(`${proxy.url}/receipts/${served.headers.get('receipt-id') ?? ''}`);
    expect([again.status, await again.text()]).toEqual([200, jws]);
  });

  it('is the issuer that its did:web leads to, with the key that signed', async () => {
    const byKey = await call(front, '/ping', withKey(await issueKey(host)));
    const [head = ''] = (byKey.headers.get('keyfare-receipt') ?? '').split('.');
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
    const response = await fetch(documentOf(kid.split('#')[0] ?? ''));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ assertionMethod: [kid] });
  });

  it('links pages of its problems that resolve against what was called', async () => {
    const refused = await call(front, '/ping', { headers: { authorization: 'Bearer kf_test_none' } });
    expect(refused.status).toBe(401);
    const page = await fetch(new URL(String(refused.body['type']), `${front.url}/ping`));
    expect(page.status).toBe(200);
    expect(await page.json()).toMatchObject({ code: refused.body['code'] });
  });
});

describe('the address of a caller', () => {
  it.each([
    ['is the one before a trusted proxy, whatever the caller writes in front of it', ['loopback'], [false, true]],
    ['is that of the connection where no proxy is trusted', [], [true, true]],
  ])('%s', async (_what, trustedProxies, expected) => {
    const adapter = createAdapter({ logger: quietLogger(), trustedProxies });
    const host = await startHost({ imports: [GateModule.forRoot(optionsOf(ground)), AdminModule.forRoot()], adapter });
    try {
      // Of so many wrong tokens at once from one address all but some twenty are told to wait.
      const areThrottled = async (forwarded: (index: number) => string): Promise<boolean> => {
        const answers = Array.from({ length: 60 }, async (_, index) => {
          const headers = { authorization: 'Bearer wrong', 'x-forwarded-for': forwarded(index) };
          return (await call(host, '/admin/plans', { headers })).status;
        });
        return (await Promise.all(answers)).includes(429);
      };
      const ofMany = await areThrottled((index) => `192.0.2.${index}`);
      const ofOne = await areThrottled((index) => `203.0.113.${index}, 198.51.100.1`);
      expect([ofMany, ofOne]).toEqual(expected);
    } finally {
      await host.close();
    }
  });
});
