import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, logged, openGround, operatorToken, startApi } from './api-process.js';
import { type Answer, operating } from './operating.js';

describe('operators of the API', () => {
  let ground: Ground;
  let api: Api;
  let owner: string;
  let call: ReturnType<typeof operating>;

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
    owner = await operatorToken(ground, api);
    call = operating(api.url, owner);
  }, 60_000);
  afterAll(async () => {
    await api.service.stop();
    await ground.close();
  }, 30_000);

  const name = (): string => `op-${randomBytes(4).toString('hex')}`;
  const make = async (scopes: readonly string[], token = owner): Promise<{ token: string; id: string }> => {
    const { status, body } = await call('POST', '/admin/operators', { token, body: { name: name(), scopes } });
    expect(status).toBe(201);
    return { token: body['token'] as string, id: (body['operator'] as { id: string }).id };
  };
  const code = ({ status, body }: Answer): unknown[] => [status, body['code']];

  it('are made once with the bootstrap token, which opens nothing else', async () => {
    const token = ground.env['BOOTSTRAP_TOKEN'] ?? '';
    const body = { name: name(), scopes: ['read'] };
    expect(code(await call('POST', '/admin/operators', { token, body }))).toEqual([401, 'operator/unauthorized']);
    expect(code(await call('GET', '/admin/operators', { token }))).toEqual([401, 'operator/unauthorized']);
  });

  it('of two who use a bootstrap token at once, make one', async () => {
    const token = randomBytes(32).toString('base64url');
    const fresh = await startApi(ground, { BOOTSTRAP_TOKEN: token });
    const both = await Promise.all(
      [1, 2].map(() =>
        operating(fresh.url, token)('POST', '/admin/operators', { body: { name: name(), scopes: ['read', 'write'] } }),
      ),
    );
    await fresh.service.stop();
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 401]);
  });

  it('may do what their scopes say, and give no scope that they do not have', async () => {
    const reader = await make(['read']);
    const writer = await make(['read', 'write']);
    const plan = { slug: `plan-${randomBytes(4).toString('hex')}`, includedUnits: 1, overage: 'reject' };
    expect((await call('GET', '/admin/accounts', { token: reader.token })).status).toBe(200);
    const forbidden = [
      await call('POST', '/admin/accounts', { token: reader.token, body: { name: 'A', plan: 'x' } }),
      await call('POST', '/admin/plans', { token: writer.token, body: plan }),
      await call('POST', '/admin/operators', { token: writer.token, body: { name: name(), scopes: ['money'] } }),
    ];
    for (const answer of forbidden) expect(code(answer)).toEqual([403, 'operator/forbidden']);
    const owners = await make(['read', 'write', 'money']);
    expect(code(await call('POST', `/admin/operators/${owners.id}/revoke`, { token: writer.token }))).toEqual([
      403,
      'operator/forbidden',
    ]);
    expect((await call('POST', '/admin/plans', { token: owner, body: plan })).status).toBe(201);
  });

  it('that are revoked, or have run out, are out at once', async () => {
    const gone = await make(['read']);
    expect((await call('GET', '/admin/operators/self', { token: gone.token })).body).toMatchObject({ id: gone.id });
    expect((await call('POST', `/admin/operators/${gone.id}/revoke`)).status).toBe(200);
    expect(code(await call('GET', '/admin/accounts', { token: gone.token }))).toEqual([401, 'operator/unauthorized']);
    expect(code(await call('POST', `/admin/operators/${gone.id}/revoke`))).toEqual([409, 'operator/conflict']);
    const past = await call('POST', '/admin/operators', {
      body: { name: name(), scopes: ['read'], expiresAt: '2020-01-01T00:00:00Z' },
    });
    expect(code(past)).toEqual([400, 'request/invalid']);
    const short = await call('POST', '/admin/operators', {
      body: { name: name(), scopes: ['read'], expiresAt: new Date(Date.now() + 5_000).toISOString() },
    });
    const token = short.body['token'] as string;
    let answer = await call('GET', '/admin/accounts', { token });
    expect(answer.status).toBe(200);
    const deadline = Date.now() + 20_000;
    while (answer.status === 200 && Date.now() < deadline) answer = await call('GET', '/admin/accounts', { token });
    expect(code(answer)).toEqual([401, 'operator/unauthorized']);
  });

  it('are known by a name that is never taken again, and their tokens are stored as hashes only', async () => {
    const taken = name();
    const first = await call('POST', '/admin/operators', { body: { name: taken, scopes: ['read'] } });
    expect(first.status).toBe(201);
    const again = await call('POST', '/admin/operators', { body: { name: taken, scopes: ['read'] } });
    expect(code(again)).toEqual([409, 'operator/conflict']);
    const token = first.body['token'] as string;
    const audit = await call('GET', '/admin/audit?limit=200');
    for (const { text } of [await call('GET', '/admin/operators?limit=200'), audit]) {
      expect(text).not.toContain(token.split('_')[2]);
    }
    expect(api.log()).not.toContain(token.split('_')[2]);
  });

  it('leave a line in the audit log for each change: who, what, before, after, request', async () => {
    const slug = `plan-${randomBytes(4).toString('hex')}`;
    await call('POST', '/admin/plans', { body: { slug, includedUnits: 5, overage: 'reject' } });
    const opened = await call('POST', '/admin/accounts', { body: { name: 'Acme', plan: slug } });
    const id = opened.body['id'] as string;
    const renamed = await call('PATCH', `/admin/accounts/${id}`, {
      body: { name: 'Acme Ltd', status: 'suspended' },
      headers: { 'if-match': opened.headers.get('etag') ?? '' },
    });
    expect(renamed.status).toBe(200);
    const refused = await call('PATCH', `/admin/accounts/${id}`, {
      body: { name: 'x' },
      headers: { 'if-match': '"old"' },
    });
    expect(refused.status).toBe(412);
    const { body } = await call('GET', `/admin/audit?subject=${id}`);
    const self = (await call('GET', '/admin/operators/self')).body;
    expect(body['items']).toEqual([
      expect.objectContaining({
        action: 'account.change',
        operator: { id: self['id'], name: self['name'] },
        subject: id,
        before: opened.body,
        after: renamed.body,
        requestId: renamed.headers.get('request-id'),
      }),
      expect.objectContaining({ action: 'account.open', before: null, after: opened.body }),
    ]);
    await logged(api, renamed.headers.get('request-id') ?? 'none');
  });

  it('who send many wrong tokens are told to wait, and right ones from the same address get in', async () => {
    const statuses: number[] = [];
    let last: Answer | undefined;
    for (let index = 0; index < 40; index += 1) {
      last = await call('GET', '/admin/accounts', { token: `kfo_wrong_${String(index)}` });
      statuses.push(last.status);
    }
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(last?.body['code']).toBe('operator/throttled');
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await call('GET', '/admin/accounts')).status).toBe(200);
  });
});
