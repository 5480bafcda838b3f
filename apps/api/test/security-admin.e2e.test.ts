import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, openAccount, openGround, operatorToken, startApi } from './api-process.js';

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Every route of the admin API, with an id in the place of each parameter. */
const routes: readonly (readonly [string, string])[] = [
  ['GET', '/admin/plans'],
  ['POST', '/admin/plans'],
  ['GET', '/admin/accounts'],
  ['POST', '/admin/accounts'],
  ['GET', '/admin/accounts/acct_1'],
  ['PATCH', '/admin/accounts/acct_1'],
  ['GET', '/admin/accounts/acct_1/keys'],
  ['POST', '/admin/accounts/acct_1/keys'],
  ['GET', '/admin/accounts/acct_1/usage'],
  ['GET', '/admin/keys/key1'],
  ['POST', '/admin/keys/key1/rotate'],
  ['POST', '/admin/keys/key1/revoke'],
  ['POST', '/admin/accounts/acct_1/close'],
  ['GET', '/admin/payments'],
  ['GET', '/admin/payments/pay1'],
  ['GET', '/admin/refunds'],
  ['POST', '/admin/refunds'],
  ['GET', '/admin/refunds/ref1'],
  ['POST', '/admin/refunds/ref1/approve'],
  ['POST', '/admin/refunds/ref1/reject'],
  ['POST', '/admin/refunds/ref1/credit'],
  ['GET', '/admin/operators'],
  ['POST', '/admin/operators'],
  ['GET', '/admin/operators/self'],
  ['GET', '/admin/operators/op1'],
  ['POST', '/admin/operators/op1/revoke'],
  ['POST', '/admin/operators/op1/link'],
  ['POST', '/admin/operators/self/password'],
  ['GET', '/admin/sessions'],
  ['GET', '/admin/sessions/self'],
  ['POST', '/admin/sessions/self/touch'],
  ['POST', '/admin/sessions/self/confirm'],
  ['DELETE', '/admin/sessions/self'],
  ['POST', '/admin/sessions/ses1/end'],
  ['GET', '/admin/audit'],
  ['GET', '/admin/status'],
];
/** Where operators come in: nobody has a token there. Its own tests are those of sessions. */
const doors = ['POST /admin/sessions', 'GET /admin/key-holder'];

describe('security: the admin API', () => {
  let ground: Ground;
  let api: Api;
  let token: string;
  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground, { CORS_ORIGINS: '*' });
    token = await operatorToken(ground, api);
  }, 60_000);
  afterAll(async () => {
    await api.service.stop();
    await ground.close();
  }, 60_000);

  /** The header that lets an operator in. */
  const asOperator = (): string => `Authorization: Bearer ${token}`;

  /** What a stranger is answered; after the first twenty from one address, that there were too many. */
  const shutOut = ['401 operator/unauthorized', '429 operator/throttled'];
  const codeOf = ({ status, body }: Answer): string => `${String(status)} ${String(body['code'])}`;

  /** One request, its target and headers as they are. */
  const ask = async (line: string, headers: readonly string[] = [], body = ''): Promise<Answer> => {
    const { port, hostname } = new URL(api.url);
    const own = headers.some((header) => header.startsWith('Host:')) ? [] : ['Host: api.test'];
    const length = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
    const head = [`${line} HTTP/1.1`, ...own, 'Connection: close', ...length, ...headers].join('\r\n');
    const text = await new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(port), hostname, () => socket.write(`${head}\r\n\r\n${body}`));
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer)).on('error', reject);
    });
    const end = text.indexOf('\r\n\r\n');
    const rest = text.slice(end + 4);
    return {
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]),
      head: text.slice(0, end).toLowerCase(),
      body: (rest === '' ? {} : JSON.parse(rest)) as Answer['body'],
    };
  };

  it('lists what these tests ask: no admin route is missing', async () => {
    const { body } = await ask('GET /openapi.json');
    const described = Object.entries(body['paths'] as Record<string, object>)
      .filter(([path]) => path.startsWith('/admin/'))
      .flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '*')}`),
      );
    const asked = routes.map(([method, path]) => `${method} ${path.replace(/acct_1|key1|pay1|ref1|op1|ses1/, '*')}`);
    expect(described.toSorted()).toEqual([...asked, ...doors].toSorted());
  });

  it.each(routes)(
    'CVE-2025-69211 (Nest), CVE-2026-22031, CVE-2026-33804 (middie): no spelling of %s %s lets a stranger in',
    async (method, path) => {
      const last = path.slice(path.lastIndexOf('/') + 1);
      const escaped = path.replace('admin', '%61dmin');
      for (const target of [path, `${path}?a=1`, escaped, path.replace('/admin', '/%61%64%6d%69%6e')]) {
        expect(shutOut).toContain(codeOf(await ask(`${method} ${target}`)));
      }
      for (const target of [
        `${path}/`,
        `/${path}`,
        path.replace('admin/', 'admin//'),
        path.toUpperCase(),
        path.replace('/admin/', '/admin%2f'),
        `/v1/../${path}`,
        path.replace(last, `./${last}`),
      ]) {
        for (const headers of [[], [asOperator()]]) {
          const answer = await ask(`${method} ${target}`, headers);
          expect([target, answer.status, answer.body['code']]).toEqual([target, 404, 'request/not-found']);
        }
      }
      // Behind a parameter, a semicolon is part of it.
      expect([...shutOut, '404 request/not-found']).toContain(codeOf(await ask(`${method} ${path};x=1`)));
      for (const target of [`http://evil.example${path}`, `${path}%00`, `${path}%ff`, `${path}#`]) {
        const answer = await ask(`${method} ${target}`, [asOperator()]);
        expect([target, answer.status, answer.body['code']]).toEqual([target, 400, 'request/malformed']);
      }
    },
  );

  it.each([...new Set(routes.map(([, path]) => path))])(
    'Nest on Fastify, HEAD that passes by the middleware of its GET (no number was found): other methods at %s are 404 or 405',
    async (path) => {
      const open = doors.map((door) => door.split(' ') as [string, string]);
      const has = new Set([...routes, ...open].filter(([, other]) => other === path).map(([method]) => method));
      expect(has.has('GET') ? [401, 429] : [405]).toContain((await ask(`HEAD ${path}`)).status);
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE']) {
        if (has.has(method)) continue;
        const { status, head, body } = await ask(`${method} ${path}`, [asOperator()]);
        expect([method, status, body['code']]).toEqual([method, 405, 'request/method-not-allowed']);
        expect(/\r\nallow: ([^\r]*)/.exec(head)?.[1]?.toUpperCase().split(', ').toSorted()).toEqual(
          [...has].toSorted(),
        );
        expect(head).not.toContain('access-control-allow-origin');
      }
    },
  );

  it('CVE-2026-49468 (LiteLLM): no Host and no header of a proxy leads to another route than the target', async () => {
    for (const header of [
      'Host: x/healthz?',
      'Host: healthz',
      'X-Original-URL: /healthz',
      'X-Rewrite-URL: /healthz',
      'X-Forwarded-Prefix: /healthz',
      'X-HTTP-Method-Override: OPTIONS',
      'X-Forwarded-For: 127.0.0.1',
    ]) {
      expect(shutOut).toContain(codeOf(await ask('GET /admin/accounts', [header])));
    }
  });

  it('GHSA-r75f-5x8p-qvmc, CVE-2026-42208 (LiteLLM): SQL in a token is a wrong token', async () => {
    for (const wrong of [`' or '1'='1`, `x' union select 1 --`, '%', '*', 'undefined', 'null', 'Bearer', `${token}'`]) {
      for (const header of [`Authorization: Bearer ${wrong}`, `Authorization: ${wrong}`, `X-API-Key: ${wrong}`]) {
        expect(shutOut).toContain(codeOf(await ask('GET /admin/accounts', [header])));
      }
    }
  });

  it('GHSA-99h5-pjcv-gr6v, CVE-2025-61928 (better-auth): nobody gets a key by naming an account', async () => {
    const { account, keyId, secret } = await openAccount(ground, api, { includedUnits: 10, overage: 'reject' });
    const body = JSON.stringify({ name: 'mine', userId: account, account, accountId: account, operator: true });
    for (const headers of [
      [],
      [`Authorization: Bearer ${secret}`],
      [`X-API-Key: ${secret}`],
      [`Cookie: account=${account}`],
    ]) {
      for (const path of [
        `/admin/accounts/${account}/keys`,
        `/admin/keys/${keyId}/rotate`,
        `/admin/keys/${keyId}/revoke`,
      ]) {
        expect(shutOut).toContain(codeOf(await ask(`POST ${path}`, headers, body)));
      }
    }
    const keys = await ask(`GET /admin/accounts/${account}/keys`, [asOperator()]);
    expect(keys.body['items']).toHaveLength(1);
  });

  it('GHSA-q2pj-6v73-8rgj, CVE-2025-60542 (TypeORM): an object or a list where a scalar is expected is 400', async () => {
    const { account, keyId } = await openAccount(ground, api, { includedUnits: 10, overage: 'reject' });
    const plan = { slug: 'good', includedUnits: 1, overage: 'reject' };
    for (const odd of [
      { toString: 'x' },
      { id: 1 },
      { $ne: null },
      ['x'],
      [[]],
      { __raw: '1 or 1=1' },
      { name: '1', or: '1' },
    ]) {
      for (const [line, body] of [
        ['POST /admin/plans', { ...plan, slug: odd }],
        ['POST /admin/plans', { ...plan, includedUnits: odd }],
        ['POST /admin/plans', { ...plan, overagePrice: odd }],
        ['POST /admin/accounts', { name: odd, plan: 'good' }],
        ['POST /admin/accounts', { name: 'A', plan: odd }],
        [`PATCH /admin/accounts/${account}`, { plan: odd }],
        [`PATCH /admin/accounts/${account}`, { status: odd }],
        [`POST /admin/accounts/${account}/keys`, { name: odd }],
        [`POST /admin/accounts/${account}/keys`, { scopes: [odd] }],
        [`POST /admin/accounts/${account}/keys`, { expiresAt: odd }],
        [`POST /admin/keys/${keyId}/rotate`, { graceSeconds: odd }],
      ] as const) {
        const answer = await ask(line, [asOperator()], JSON.stringify(body));
        expect([line, JSON.stringify(body), answer.status, answer.body['code']]).toEqual([
          line,
          JSON.stringify(body),
          400,
          'request/invalid',
        ]);
      }
    }
    for (const query of ['month[$ne]=1', 'month=2026-01&month=2026-02', 'month[]=2026-01']) {
      const { status } = await ask(`GET /admin/accounts/${account}/usage?${query}`, [asOperator()]);
      expect([query, status]).toEqual([query, 400]);
    }
  });

  it('sells nothing and breaks nothing on the way: what small inputs did before', async () => {
    // The price depends on the body: without one there is none.
    expect(await ask('POST /v1/distances', ['Content-Type: application/json', 'Content-Length: 0'])).toMatchObject({
      status: 400,
      body: { code: 'request/malformed' },
    });
    expect(await ask('POST /v1/distances', ['Content-Length: 0'])).toMatchObject({
      status: 400,
      body: { code: 'request/invalid' },
    });
    for (const target of [
      '/v1/forecast/%ff',
      '/v1/forecast?latitude=%00',
      '/v1/forecast%00',
      'http://evil.example/v1/forecast?latitude=1&longitude=1',
    ]) {
      const answer = await ask(`GET ${target}`);
      expect([target, answer.status, answer.body['code']]).toEqual([target, 400, 'request/malformed']);
      expect(answer.head).toContain('content-type: application/problem+json');
      expect(answer.head).toContain('access-control-allow-origin: *');
    }
  });
});
