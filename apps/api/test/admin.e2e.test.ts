import { randomBytes } from 'node:crypto';
import { adminQuery } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, openGround, operatorToken, startApi } from './api-process.js';
import { type Answer, operating } from './operating.js';

const route = '/v1/forecast?latitude=1&longitude=1&date=2026-11-21';

describe('the admin API', () => {
  let ground: Ground;
  let api: Api;
  let call: ReturnType<typeof operating>;
  let token: string;
  const slug = `plan-${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
    token = await operatorToken(ground, api);
    call = operating(api.url, token);
    await post('/admin/plans', { slug, includedUnits: 1_000, overage: 'reject' });
  }, 60_000);
  afterAll(async () => {
    await api.service.stop();
    await ground.close();
  }, 30_000);

  const post = async (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    call('POST', path, { ...(body === undefined ? {} : { body }), headers });
  const patch = async (id: string, body: unknown): Promise<Answer> => {
    const etag = (await call('GET', `/admin/accounts/${id}`)).headers.get('etag') ?? '';
    return call('PATCH', `/admin/accounts/${id}`, { body, headers: { 'if-match': etag } });
  };
  const open = async (name = 'Acme'): Promise<string> =>
    (await post('/admin/accounts', { name, plan: slug })).body['id'] as string;
  const issue = async (id: string, body: unknown = {}): Promise<{ secret: string; id: string }> => {
    const answer = await post(`/admin/accounts/${id}/keys`, body);
    expect(answer.status).toBe(201);
    return { secret: answer.body['secret'] as string, id: (answer.body['key'] as { id: string }).id };
  };
  const use = async (secret: string): Promise<[number, unknown]> => {
    const response = await fetch(api.url + route, { headers: { 'x-api-key': secret } });
    return [response.status, ((await response.json()) as { code?: string }).code];
  };

  it('refuses members and parameters that it does not know, and drops none', async () => {
    const id = await open();
    const { id: key } = await issue(id);
    const refused = [
      await post(`/admin/accounts/${id}/keys`, { scope: ['forecast'] }),
      await post(`/admin/keys/${key}/rotate`, { grace: 0 }),
      await post('/admin/accounts', { name: 'A', plan: slug, admin: true }),
      await post('/admin/plans', { slug: 'a', includedUnits: 1, overage: 'reject', price: '$1' }),
      await post(`/admin/keys/${key}/revoke`, { really: true }),
      await call('GET', '/admin/accounts?page=2'),
      await call('GET', `/admin/accounts/${id}?verbose=1`),
      await call('GET', '/admin/accounts?limit=0'),
      await call('GET', '/admin/accounts?limit=1000'),
      await call('GET', '/admin/accounts?limit=50&limit=60'),
      await call('GET', '/admin/accounts?cursor=nonsense'),
      await call('GET', `/admin/accounts?cursor=${Buffer.from('["accounts","x","y"]').toString('base64url')}`),
      await patch(id, {}),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 400));
    expect(await use((await issue(id, { scopes: ['distances'] })).secret)).toEqual([403, 'policy/forbidden']);
  });

  it('takes no text that a layer behind it would refuse', async () => {
    for (const name of ['a\nb', 'a\u0000', '\ud800', '', ' ', 'a'.repeat(201), 'a\u0085', '\u001b[31mred']) {
      expect((await post('/admin/accounts', { name, plan: slug })).status).toBe(400);
    }
    for (const scopes of [['*'], ['.*'], ['(a+)+$'], ['a\u0000'], ['']]) {
      expect((await post(`/admin/accounts/${await open()}/keys`, { scopes })).status).toBe(400);
    }
    for (const path of [
      '/admin/accounts/%00',
      '/admin/keys/a%00b',
      '/admin/accounts?search=%00',
      '/admin/payments/%0a',
    ]) {
      expect([path, (await call('GET', path)).status]).toEqual([path, 400]);
    }
    expect((await post('/admin/accounts', { name: '東京 😀 & Söhne', plan: slug })).status).toBe(201);
  });

  it('refuses a date that is past, a price that is missing, and a version that is not there', async () => {
    const id = await open();
    const refused = [
      await post(`/admin/accounts/${id}/keys`, { expiresAt: '2020-01-01T00:00:00Z' }),
      await patch(id, { endsAt: '2020-01-01T00:00:00Z' }),
      await post('/admin/plans', { slug, includedUnits: 1, overage: 'invoice' }),
      await post('/admin/plans', { slug, includedUnits: 1, overage: 'x402' }),
      await post('/admin/plans', { slug, includedUnits: 1, overage: 'reject', overagePrice: '$1' }),
      await patch(id, { plan: { slug, version: 9 } }),
      await post('/admin/accounts', { name: 'A', plan: { slug, version: 9 } }),
    ];
    expect(refused.map(({ status, body }) => [status, body['code']])).toEqual(
      refused.map(() => [400, 'request/invalid']),
    );
  });

  it('accepts an empty body where nothing is asked, with and without a type', async () => {
    const { id } = await issue(await open());
    const headers = { 'content-type': 'application/json' };
    expect((await call('POST', `/admin/keys/${id}/rotate`, { headers })).status).toBe(201);
    expect((await call('POST', `/admin/keys/${id}/revoke`, { headers })).status).toBe(200);
    expect((await call('POST', `/admin/accounts/${await open()}/keys`)).status).toBe(201);
  });

  it('answers the same Idempotency-Key once for all, a secret too, and keeps no secret that the database could tell', async () => {
    const id = await open();
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') };
    const body = { name: 'once' };
    const both = await Promise.all([1, 2, 3].map(() => post(`/admin/accounts/${id}/keys`, body, headers)));
    expect(new Set(both.map(({ text }) => text)).size).toBe(1);
    expect(both.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(((await call('GET', `/admin/accounts/${id}/keys`)).body['items'] as unknown[]).length).toBe(1);
    const other = await post(`/admin/accounts/${id}/keys`, { name: 'another' }, headers);
    expect([other.status, other.body['code']]).toEqual([422, 'request/idempotency-key-reused']);
    const refused = { 'idempotency-key': randomBytes(8).toString('hex') };
    expect((await post('/admin/accounts', { name: 'A', plan: 'nowhere' }, refused)).status).toBe(404);
    expect((await post('/admin/accounts', { name: 'A', plan: 'nowhere' }, refused)).status).toBe(404);
    const secret = String(both[0]?.body['secret']).split('_')[3] ?? '';
    const rows = await adminQuery<{ answer: Buffer }>(
      ground.database.url,
      'select answer from keyfare.idempotent_request',
    );
    expect(rows.length).toBeGreaterThan(0);
    for (const { answer } of rows) expect(answer.toString('latin1')).not.toContain(secret);
  });

  it('forgets answers that are older than a day', async () => {
    const kept = async (): Promise<number> =>
      (await adminQuery(ground.database.url, `select 1 from keyfare.idempotent_request where operator_id = 'op_old'`))
        .length;
    await adminQuery(
      ground.database.url,
      `insert into keyfare.idempotent_request (operator_id, key_hash, fingerprint, answer, created_at)
       values ('op_old', sha256('a'), sha256('a'), '', now() - interval '25 hours')`,
    );
    const another = await startApi(ground);
    const deadline = Date.now() + 20_000;
    while ((await kept()) > 0 && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 50));
    await another.service.stop();
    expect(await kept()).toBe(0);
  });

  it('changes nothing without the version that was read: 428, 412', async () => {
    const id = await open();
    const path = `/admin/accounts/${id}`;
    const read = await call('GET', path);
    expect(read.headers.get('cache-control')).toBe('no-store');
    expect((await call('PATCH', path, { body: { name: 'A' } })).body['code']).toBe('request/precondition-required');
    const headers = { 'if-match': read.headers.get('etag') ?? '' };
    const first = await call('PATCH', path, { body: { name: 'First' }, headers });
    expect(first.status).toBe(200);
    const second = await call('PATCH', path, { body: { name: 'Second' }, headers });
    expect([second.status, second.body['code']]).toEqual([412, 'request/precondition-failed']);
    expect((await call('GET', path)).body['name']).toBe('First');
    const next = await call('PATCH', path, {
      body: { name: 'Third' },
      headers: { 'if-match': first.headers.get('etag') ?? '' },
    });
    expect(next.status).toBe(200);
  });

  it('pages through accounts without losing or doubling one, though some come meanwhile and many share a moment', async () => {
    const mark = randomBytes(4).toString('hex');
    const names = Array.from({ length: 25 }, (_, index) => `${mark} ${String(index)}`);
    const ids = await Promise.all(names.map(async (name) => open(name)));
    await adminQuery(
      ground.database.url,
      `update keyfare.account set created_at = '2026-11-01T00:00:00Z' where name like $1`,
      [`${mark}%`],
    );
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await call(
        'GET',
        `/admin/accounts?search=${mark}&limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...(body['items'] as { id: string }[]).map(({ id }) => id));
      cursor = (body['next'] as string | null) ?? '';
      await open(`new ${mark}`);
    } while (cursor !== '' && seen.length < 100);
    expect(seen.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('filters accounts by state and plan, and searches names as text, not as a pattern', async () => {
    const mark = randomBytes(4).toString('hex');
    const [one, two] = [await open(`${mark} 100%_\\x`), await open(`${mark} plain`)];
    await patch(two, { status: 'suspended' });
    const list = async (query: string): Promise<unknown[]> =>
      ((await call('GET', `/admin/accounts?${query}`)).body['items'] as { id: string }[]).map(({ id }) => id);
    expect(await list(`search=${encodeURIComponent(`${mark} 100%_\\`)}`)).toEqual([one]);
    expect(await list(`search=${encodeURIComponent('%')}&search=x`).catch(() => 'refused')).toBe('refused');
    expect(await list(`search=${mark.toUpperCase()}&status=suspended`)).toEqual([two]);
    expect(await list(`search=${mark}&plan=${slug}&status=active`)).toEqual([one]);
    expect(await list(`search=${mark}&plan=other`)).toEqual([]);
  });

  it('moves an account to a version of a plan, ends its contract on a day, and closes it for good', async () => {
    const mark = `v-${randomBytes(4).toString('hex')}`;
    for (const includedUnits of [1, 2]) await post('/admin/plans', { slug: mark, includedUnits, overage: 'reject' });
    const id = await open();
    const moved = await patch(id, { plan: { slug: mark, version: 1 } });
    expect(moved.body['plan']).toMatchObject({ slug: mark, version: 1, includedUnits: '1' });
    expect((await patch(id, { plan: mark })).body['plan']).toMatchObject({ version: 2 });
    const { secret } = await issue(id);
    const soon = new Date(Date.now() + 5_000);
    expect((await patch(id, { endsAt: soon.toISOString() })).body['endsAt']).toBe(soon.toISOString());
    let used = await use(secret);
    const deadline = Date.now() + 20_000;
    while (used[0] === 200 && Date.now() < deadline) used = await use(secret);
    expect([429, 403]).toContain(used[0]);
    while (Date.now() <= soon.getTime()) await new Promise((wake) => setTimeout(wake, 50));
    expect(await use(secret)).toEqual([403, 'account/closed']);
    expect((await patch(id, { endsAt: null })).status).toBe(200);
    const closed = await post(`/admin/accounts/${id}/close`);
    expect([closed.status, closed.body['status']]).toEqual([200, 'closed']);
    // By its key, which is revoked, or by its account: whichever this process hears of first.
    expect([401, 403]).toContain((await use(secret))[0]);
    const refused = [
      await patch(id, { status: 'active' }),
      await patch(id, { name: 'again' }),
      await post(`/admin/accounts/${id}/close`),
      await post(`/admin/accounts/${id}/keys`, {}),
    ];
    expect(refused.map(({ status, body }) => [status, body['code']])).toEqual(
      refused.map(() => [409, 'account/conflict']),
    );
  });

  it('lets no page of another origin read it, unless that origin is named', async () => {
    const origin = 'https://console.example';
    const allowed = await startApi(ground, { OPERATOR_CORS_ORIGINS: origin });
    const headers = { origin, 'access-control-request-method': 'GET' };
    const answers = await Promise.all(
      [api, allowed].flatMap(({ url }) => [
        operating(url, token)('GET', '/admin/accounts', { headers: { origin } }),
        operating(url, token)('OPTIONS', '/admin/accounts', { headers }),
      ]),
    );
    await allowed.service.stop();
    const origins = answers.map((answer) => answer.headers.get('access-control-allow-origin'));
    expect(origins).toEqual([null, null, origin, origin]);
    expect(
      (await fetch(`${api.url}/healthz`, { headers: { origin } })).headers.get('access-control-allow-origin'),
    ).toBe('*');
  });

  it('rotates by who has seen what waits: 409, then with If-Match, then 412 for who is late', async () => {
    const { id } = await issue(await open());
    expect((await post(`/admin/keys/${id}/rotate`)).status).toBe(201);
    const again = await post(`/admin/keys/${id}/rotate`);
    expect([again.status, again.body['code']]).toEqual([409, 'key/conflict']);
    const headers = { 'if-match': (await call('GET', `/admin/keys/${id}`)).headers.get('etag') ?? '' };
    const both = await Promise.all([1, 2].map(() => post(`/admin/keys/${id}/rotate`, undefined, headers)));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 412]);
    const secret = both.find(({ status }) => status === 201)?.body['secret'] as string;
    expect((await use(secret))[0]).toBe(200);
    await post(`/admin/keys/${id}/revoke`);
    const dead = await post(`/admin/keys/${id}/rotate`);
    expect([dead.status, dead.body['code']]).toEqual([409, 'key/conflict']);
  });

  it('shows the limit of a month without calls, and answers 404 for ids of nobody', async () => {
    const usage = await call('GET', `/admin/accounts/${await open()}/usage`);
    expect(usage.body).toMatchObject({ used: '0', limit: '1000' });
    for (const path of [
      'payments/no',
      'accounts/acct_no',
      'accounts/acct_no/keys',
      'accounts/acct_no/usage',
      'keys/no',
      'operators/op_no',
    ]) {
      expect([path, (await call('GET', `/admin/${path}`)).status]).toEqual([path, 404]);
    }
    const payment = await call('GET', '/admin/payments/01a219dd-9e88-7ccb-b971-0ff7f9c11a80');
    expect([payment.status, payment.body['code']]).toEqual([404, 'payment/not-found']);
  });
});
