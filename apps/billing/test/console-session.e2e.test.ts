import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { BrowserSession } from './browser-session.js';
import { type OperatorsApi, startOperatorsApi } from './operators-api.js';
import { makeOperator, type Service, startService } from './service.js';
import { openWorld, type World } from './world.js';

const password = 'correct horse battery staple';

describe('the session of an operator in a browser', () => {
  let world: World;
  let api: OperatorsApi;
  let billing: Service;

  beforeAll(async () => {
    world = await openWorld();
    api = await startOperatorsApi(world);
    billing = await startService(world, { API_URL: api.url });
  }, 60_000);
  afterAll(async () => {
    await billing.close();
    await api.close();
    await world.close();
  }, 30_000);

  const atApi = async (
    path: string,
    token: string,
    body: unknown = {},
  ): Promise<{ readonly status: number; readonly body: never }> => {
    const response = await fetch(`${api.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as never };
  };

  interface Person {
    readonly id: string;
    readonly name: string;
    readonly token: string;
    readonly link: string;
  }

  /** An operator with a password, and a link for a first time. */
  async function person(role: string): Promise<Person> {
    const owner = await makeOperator(world);
    const name = `${role} ${Math.random()}`;
    const made = (await atApi('/admin/operators', owner, { name, role })).body as {
      operator: { id: string };
      token: string;
    };
    const { link } = (await atApi(`/admin/operators/${made.operator.id}/link`, owner)).body as { link: string };
    expect((await atApi('/admin/operators/self/password', made.token, { new: password })).status).toBe(200);
    return { id: made.operator.id, name, token: made.token, link };
  }

  async function signedIn(role = 'admin'): Promise<{ readonly browser: BrowserSession; readonly who: Person }> {
    const who = await person(role);
    const browser = new BrowserSession(billing.url);
    const answer = await browser.call('/session', { body: { name: who.name, password } });
    expect([answer.status, answer.body]).toEqual([200, expect.objectContaining({ csrf: expect.any(String) })]);
    return { browser, who };
  }

  const code = (answer: { readonly status: number; readonly body: unknown }): readonly unknown[] => [
    answer.status,
    (answer.body as { code?: string } | undefined)?.code,
  ];

  it('begins with name and password, and is a cookie that no script reads and no other site sends', async () => {
    const { browser, who } = await signedIn('finance');
    const cookie = browser.cookies.get('keyfare_session');
    expect(cookie?.attributes).toMatch(/^Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
    const self = await browser.call('/session');
    expect(self.headers.get('cache-control')).toBe('no-store');
    expect(self.body).toMatchObject({
      operator: { id: who.id, name: who.name, role: 'finance', scopes: ['read', 'money'], hasPassword: true },
      confirmedUntil: expect.any(String),
    });
    expect((await browser.call('/breaks')).status).toBe(200);
    expect((await browser.call('/gate/admin/operators')).status).toBe(200);
    const [row] = await world.rows<{ hash: string; password: string }>(
      `select encode(s.token_hash, 'escape') as hash, o.password_hash as password from keyfare.session s
        join keyfare.operator o on o.id = s.operator_id where o.id = $1`,
      [who.id],
    );
    expect(row?.hash).not.toContain(cookie?.value ?? '');
    expect(row?.password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('is of TLS alone, and of this host, where the console has an https address', async () => {
    const secure = await startService(world, { API_URL: api.url, CONSOLE_URL: 'https://books.example' });
    const who = await person('viewer');
    const browser = new BrowserSession(secure.url);
    await browser.call('/session', { body: { name: who.name, password } });
    expect(browser.cookies.get('__Host-keyfare_session')?.attributes).toMatch(/; Secure$/);
    await secure.close();
  }, 30_000);

  it('begins by a link once, and for who has no password yet a first one is set in it', async () => {
    const owner = await makeOperator(world);
    const made = (await atApi('/admin/operators', owner, { name: `new ${Math.random()}`, role: 'viewer' })).body as {
      operator: { id: string; name: string };
    };
    const { link } = (await atApi(`/admin/operators/${made.operator.id}/link`, owner)).body as { link: string };
    const browser = new BrowserSession(billing.url);
    const begun = await browser.call('/session', { body: { link } });
    expect(begun.body).toMatchObject({ operator: { hasPassword: false, role: 'viewer' } });
    expect(code(await new BrowserSession(billing.url).call('/session', { body: { link } }))).toEqual([
      401,
      'operator/wrong-password',
    ]);
    expect(code(await browser.call('/session/password', { body: { new: 'aaaaaaaaaaaaaaaa' } }))).toEqual([
      400,
      'request/invalid',
    ]);
    const set = await browser.call('/session/password', { body: { new: password } });
    expect([set.status, set.body]).toEqual([
      200,
      expect.objectContaining({ operator: expect.objectContaining({ hasPassword: true }) }),
    ]);
    const again = await new BrowserSession(billing.url).call('/session', {
      body: { name: made.operator.name, password },
    });
    expect(again.status).toBe(200);
  });

  it('a link that has run out, or that another took the place of, lets nobody in', async () => {
    const { id, link } = await person('viewer');
    const owner = await makeOperator(world);
    const { link: second } = (await atApi(`/admin/operators/${id}/link`, owner)).body as { link: string };
    expect((await new BrowserSession(billing.url).call('/session', { body: { link } })).status).toBe(401);
    await world.rows(
      `update keyfare.sign_in_link set expires_at = now() - interval '1 second' where operator_id = $1`,
      [id],
    );
    expect((await new BrowserSession(billing.url).call('/session', { body: { link: second } })).status).toBe(401);
  });

  it('a change needs the token of the page: another site, a missing or another token are 403', async () => {
    const { browser } = await signedIn();
    const body = { name: 'x', legalName: 'X' };
    const { csrf } = browser;
    for (const [headers, mine] of [
      [{}, undefined],
      [{}, 'A'.repeat(43)],
      [{ 'sec-fetch-site': 'cross-site' }, csrf],
      [{ 'sec-fetch-site': 'same-site' }, csrf],
      [{ origin: 'https://evil.example' }, csrf],
      [{ origin: 'null' }, csrf],
    ] as const) {
      browser.csrf = mine;
      for (const path of ['/customers', '/gate/admin/accounts', '/session/confirm']) {
        const sent = path === '/session/confirm' ? { password } : body;
        expect([path, ...code(await browser.call(path, { body: sent, headers: { ...headers } }))]).toEqual([
          path,
          403,
          'operator/csrf',
        ]);
      }
    }
    browser.csrf = csrf;
    expect(code(await browser.call('/session', { method: 'DELETE', headers: { 'x-csrf-token': '' } }))).toEqual([
      403,
      'operator/csrf',
    ]);
    expect((await browser.call('/session')).status).toBe(200);
    // Nobody is signed in as somebody else by another site's form.
    const forced = await browser.call('/session', {
      body: { name: 'x', password },
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(code(forced)).toEqual([403, 'operator/csrf']);
  });

  it('has a fresh token at each sign-in, whatever cookie was there before; the old one is good no more', async () => {
    const { browser, who } = await signedIn();
    const before = browser.cookies.get('keyfare_session')?.value ?? '';
    await browser.call('/session', { body: { name: who.name, password } });
    const after = browser.cookies.get('keyfare_session')?.value ?? '';
    expect(after).not.toBe(before);
    const old = new BrowserSession(billing.url);
    old.cookies.set('keyfare_session', { value: before, attributes: '' });
    expect((await old.call('/session')).status).toBe(401);
    expect((await old.call('/breaks')).status).toBe(401);
  });

  it('asks for the password again for what is sensitive, of people and not of programs', async () => {
    const { browser, who } = await signedIn();
    const stale = `update keyfare.session set confirmed_until = now() - interval '1 second' where operator_id = $1`;
    await world.rows(stale, [who.id]);
    const acts = ['/months/2020-01/lock', `/gate/admin/operators/${who.id}/link`];
    for (const path of acts) {
      expect([path, ...code(await browser.call(path, { body: {} }))]).toEqual([path, 403, 'operator/confirm']);
    }
    expect((await browser.call('/invoices/finalize', { body: { month: '2020-01', preview: true } })).status).toBe(200);
    expect(code(await browser.call('/invoices/finalize', { body: { month: '2020-01', preview: false } }))).toEqual([
      403,
      'operator/confirm',
    ]);
    expect(code(await browser.call('/session/confirm', { body: { password: 'not this one, no' } }))).toEqual([
      401,
      'operator/wrong-password',
    ]);
    const before = browser.cookies.get('keyfare_session')?.value;
    expect((await browser.call('/session/confirm', { body: { password } })).status).toBe(200);
    expect(browser.cookies.get('keyfare_session')?.value).not.toBe(before);
    expect((await browser.call('/invoices/finalize', { body: { month: '2020-01', preview: false } })).status).toBe(200);
    expect((await browser.call(acts[1] ?? '', { body: {} })).status).toBe(201);
    expect((await atApi(`/admin/operators/${who.id}/link`, who.token)).status).toBe(201);
  });

  it('ends when nothing is done, at its last hour, at the sign-out, with the operator and with a new password', async () => {
    const ends: readonly [string, (browser: BrowserSession, who: Person) => Promise<unknown>][] = [
      [
        'idle',
        async (_, { id }) => world.rows(`update keyfare.session set idle_at = now() where operator_id = $1`, [id]),
      ],
      [
        'expired',
        async (_, { id }) => world.rows(`update keyfare.session set expires_at = now() where operator_id = $1`, [id]),
      ],
      ['signed out', async (browser) => browser.call('/session', { method: 'DELETE' })],
      ['revoked', async (_, { id }) => atApi(`/admin/operators/${id}/revoke`, await makeOperator(world))],
      [
        'a new password elsewhere',
        async (_, { token }) => atApi('/admin/operators/self/password', token, { old: password, new: `${password} 2` }),
      ],
    ];
    for (const [what, end] of ends) {
      const { browser, who } = await signedIn();
      const kept = new Map(browser.cookies);
      await end(browser, who);
      for (const [name, cookie] of kept) browser.cookies.set(name, cookie);
      for (const path of ['/session', '/breaks', '/gate/admin/accounts']) {
        expect([what, path, (await browser.call(path)).status]).toEqual([what, path, 401]);
      }
    }
  }, 30_000);

  it('is idle later when something is done in it', async () => {
    const { browser, who } = await signedIn();
    await world.rows(`update keyfare.session set idle_at = now() + interval '1 minute' where operator_id = $1`, [
      who.id,
    ]);
    await browser.call('/breaks');
    const soon = async (): Promise<boolean> => {
      const [row] = await world.rows<{ late: boolean }>(
        `select idle_at > now() + interval '20 minutes' as late from keyfare.session where operator_id = $1`,
        [who.id],
      );
      return row?.late === true;
    };
    const deadline = Date.now() + 20_000;
    while (!(await soon()) && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 20));
    expect(await soon()).toBe(true);
  });

  it('wrong names and wrong passwords are answered alike, then 429; a browser known from before is let in still', async () => {
    const { browser, who } = await signedIn();
    const alike = await Promise.all(
      [
        { name: who.name, password: 'wrong wrong wrong' },
        { name: 'nobody of this name', password: 'wrong wrong wrong' },
      ].map(async (body) => new BrowserSession(billing.url).call('/session', { body })),
    );
    const said = alike.map(({ status, body }) => [status, { ...(body as object), instance: '' }]);
    expect(said[0]).toEqual(said[1]);
    // From many addresses, for one name.
    const waits: number[] = [];
    const strangers = new Set<number>();
    for (let attempt = 0; attempt < 30; attempt += 1) {
      const response = await fetch(`${api.url}/admin/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.51.100.${attempt}` },
        body: JSON.stringify({ name: who.name, password: 'wrong wrong wrong' }),
      });
      if (response.status !== 429) continue;
      waits.push(Number(response.headers.get('retry-after')));
      // At once: a name may be tried again each twenty seconds.
      const stranger = await new BrowserSession(billing.url).call('/session', { body: { name: who.name, password } });
      strangers.add(stranger.status);
    }
    expect(waits.length).toBeGreaterThan(5);
    expect(Math.min(...waits)).toBeGreaterThan(0);
    expect(strangers).toContain(429);
    expect((await browser.call('/session', { body: { name: who.name, password } })).status).toBe(200);
  }, 30_000);

  it('each role does what its scopes say, in both programs, and nothing else', async () => {
    const acts: readonly [string, unknown, string][] = [
      ['/breaks', undefined, 'read'],
      ['/gate/admin/accounts', undefined, 'read'],
      ['/reconciliations', {}, 'write'],
      ['/gate/admin/accounts', { name: 'x' }, 'write'],
      ['/invoices/finalize', { month: '2020-01', preview: true }, 'money'],
      ['/gate/admin/plans', {}, 'money'],
    ];
    const scopes = {
      viewer: ['read'],
      finance: ['read', 'money'],
      operator: ['read', 'write'],
      admin: ['read', 'write', 'money'],
    };
    for (const [role, has] of Object.entries(scopes)) {
      const { browser } = await signedIn(role);
      for (const [path, body, needs] of acts) {
        const { status } = await browser.call(path, body === undefined ? {} : { body });
        expect([role, path, needs, status === 403]).toEqual([role, path, needs, !has.includes(needs)]);
      }
    }
  }, 60_000);

  it('forwards to the routes of operators only, and to no other host', async () => {
    const { browser } = await signedIn();
    for (const path of [
      '/gate/',
      '/gate/metrics',
      '/gate/healthz',
      '/gate/admin/../metrics',
      '/gate/admin/%2e%2e/metrics',
      '/gate//evil.example/admin/x',
      '/gate/admin/sessions/self',
      '/gate/admin/sessions/ses_x',
      '/gate/admin/sessions/self/end',
      '/gate/admin/operators/self/password',
      '/gate/@evil.example/admin/x',
      '/gate/receipts',
      '/gate/receipts/../metrics',
      '/gate/prices/skus/a/b',
    ]) {
      expect([path, (await browser.call(path)).status]).toEqual([path, 404]);
    }
    expect((await browser.call('/gate/.well-known/jwks.json')).status).toBe(200);
    expect((await browser.call('/gate/prices')).status).toBe(200);
    expect(code(await browser.call('/gate/receipts/00000000-0000-7000-8000-000000000000'))).toEqual([
      404,
      'receipt/not-found',
    ]);
    expect((await browser.call('/gate/prices', { method: 'POST', body: {} })).status).toBe(404);
    const problem = await browser.call('/gate/admin/accounts?limit=0');
    expect(code(problem)).toEqual([400, 'request/invalid']);
  });

  it('shows which sessions go on and ends one, but begins none beside `/session`', async () => {
    const { browser } = await signedIn('admin');
    const other = await signedIn();
    const listed = await browser.call(`/gate/admin/sessions?operator=${other.who.id}`);
    const [{ id }] = (listed.body as { items: [{ id: string }] }).items;
    expect(code(await browser.call('/gate/admin/sessions', { body: { name: 'x', password } }))).toEqual([
      404,
      'request/not-found',
    ]);
    expect((await browser.call(`/gate/admin/sessions/${id}/end`, { body: {} })).status).toBe(200);
    expect((await other.browser.call('/breaks')).status).toBe(401);
  });

  it('is in the audit log: the sign-in, the confirmation, the password, the sign-out, each with whose it is', async () => {
    const { browser, who } = await signedIn();
    await browser.call('/session/confirm', { body: { password } });
    await browser.call('/session', { method: 'DELETE' });
    const lines = await world.rows<{ action: string }>(
      `select action from keyfare.audit where operator_id = $1 order by id`,
      [who.id],
    );
    expect(lines.map(({ action }) => action)).toEqual([
      'operator.password',
      'session.begin',
      'session.confirm',
      'session.end',
    ]);
    const all = await world.rows<{ line: string }>('select a::text as line from keyfare.audit a');
    expect(all.filter(({ line }) => line.includes(password))).toEqual([]);
  });

  it('takes no Idempotency-Key with a password: its digest would be kept', async () => {
    const response = await fetch(`${api.url}/admin/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
      body: JSON.stringify({ name: 'x', password }),
    });
    expect(response.status).toBe(400);
  });

  it('the page comes with a policy that runs nothing but its own files, in no frame', async () => {
    for (const path of ['/console/', '/console/invoices/inv_1', '/console/assets/none.js', '/']) {
      const response = await fetch(`${billing.url}${path}`, { redirect: 'manual' });
      const policy = response.headers.get('content-security-policy') ?? '';
      expect([path, policy]).toEqual([path, expect.stringContaining("default-src 'none'")]);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect((await fetch(`${billing.url}/`, { redirect: 'manual' })).headers.get('location')).toBe('/console/');
  });

  it('what answers at the address of the API and is not the API is 503, and no fault of ours', async () => {
    const service = await startService(world, { API_URL: new URL(world.keys.url).origin });
    const answer = await new BrowserSession(service.url).call('/session', { body: { name: 'x', password } });
    expect(code(answer)).toEqual([503, 'service/overloaded']);
    await service.close();
  }, 30_000);

  it('while the API does not answer, the page is told 503 and the session goes on where the books are', async () => {
    const own = await startOperatorsApi(world);
    const service = await startService(world, { API_URL: own.url });
    const who = await person('viewer');
    const browser = new BrowserSession(service.url);
    await browser.call('/session', { body: { name: who.name, password } });
    await own.close();
    expect(code(await browser.call('/gate/admin/accounts'))).toEqual([503, 'service/overloaded']);
    expect((await browser.call('/breaks')).status).toBe(200);
    await service.close();
  }, 30_000);
});
