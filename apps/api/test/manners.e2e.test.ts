import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { readEnvExample } from '@keyfare/fixtures/compose';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { apiEnvironment, readApiConfig } from '../src/config.js';
import {
  type Api,
  admin,
  type Ground,
  logged,
  openAccount,
  openGround,
  operatorToken,
  readiness,
  startApi,
} from './api-process.js';

const mainPath = fileURLToPath(new URL('../src/main.js', import.meta.url));

describe('the API process', () => {
  let ground: Ground;
  let api: Api;

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
  }, 30_000);
  afterAll(async () => {
    await api.service.stop();
    await ground.close();
  }, 30_000);

  const json = async (path: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${api.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('tells all faults of its configuration at once, by name and without values, and ends with 1', async () => {
    const env = {
      PATH: process.env['PATH'] ?? '',
      PORT: '99999',
      BOOTSTRAP_TOKEN: 'short',
      SETTLER_PRIVATE_KEY: '0xsecret',
    };
    const run = promisify(execFile)(process.execPath, [mainPath], { env }).then(
      () => ({ code: 0, stderr: '' }),
      (error: { code: number; stderr: string }) => error,
    );
    const { code, stderr } = await run;
    expect(code).toBe(1);
    for (const name of [
      'PORT',
      'BOOTSTRAP_TOKEN',
      'SETTLER_PRIVATE_KEY',
      'DATABASE_URL',
      'PAY_TO',
      'RPC_URL',
      'RECEIPT_SIGNING_KEY',
    ]) {
      expect(stderr).toContain(name);
    }
    expect(stderr).not.toMatch(/0xsecret|short/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('starts with the settings of .env.example, and .env.example names every setting', () => {
    const env = readEnvExample();
    expect(() => readApiConfig(env)).not.toThrow();
    const settings = Object.keys(apiEnvironment.shape);
    expect(settings.length).toBeGreaterThan(15);
    expect(settings.filter((name) => !(name in env))).toEqual([]);
  });

  it('is alive and ready, and says what it can reach', async () => {
    expect(await json('/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
    const all = { status: 'ready', reasons: [], database: 'up', listener: 'up', chain: 'up' };
    expect(await readiness(api)).toMatchObject(all);
    expect((await json('/readyz')).status).toBe(200);
  });

  it('counts what it served for Prometheus', async () => {
    const { secret } = await openAccount(ground, api, { includedUnits: 10, overage: 'reject' });
    const headers = { authorization: `Bearer ${secret}` };
    await fetch(`${api.url}/v1/forecast?latitude=0&longitude=0&date=2026-11-21`, { headers });
    await fetch(`${api.url}/v1/forecast?latitude=0&longitude=0&date=2026-11-21`);
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toMatch(/keyfare_calls_total\{route="\/v1\/forecast",rail="key",status="200"\} [1-9]/);
    expect(metrics).toMatch(/keyfare_refusals_total\{code="payment\/required"\} [1-9]/);
    expect(metrics).toContain('process_cpu_seconds_total');
  });

  it('sells what it says: sun and distances', async () => {
    const { secret } = await openAccount(ground, api, { includedUnits: 100, overage: 'reject' });
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    const sun = await json('/v1/forecast?latitude=52.52&longitude=13.4&date=2026-06-21', { headers });
    expect(sun.body).toMatchObject({ daylight: 'normal', sunrise: expect.stringMatching(/^2026-06-21T02:4/) });
    expect(sun.body).not.toHaveProperty('hours');
    const hourly = await json('/v1/forecast?latitude=52.52&longitude=13.4&date=2026-06-21&granularity=hourly', {
      headers,
    });
    const hours = hourly.body['hours'] as { time: string; sunAltitude: number; sunAzimuth: number }[];
    expect([hours.length, hours[11]?.time]).toEqual([24, '2026-06-21T11:00:00.000Z']);
    expect([Math.round(hours[11]?.sunAltitude ?? 0), (hours[0]?.sunAltitude ?? 0) < 0]).toEqual([61, true]);
    const polar = await json('/v1/forecast?latitude=80&longitude=0&date=2026-12-21', { headers });
    expect(polar.body).toMatchObject({ daylight: 'polar-night', sunrise: null });
    const berlin = { latitude: 52.52, longitude: 13.405 };
    const body = JSON.stringify({ from: berlin, to: [{ latitude: 48.8566, longitude: 2.3522 }, berlin] });
    const distances = await json('/v1/distances', { method: 'POST', headers, body });
    const [paris, none] = distances.body['kilometers'] as [number, number];
    expect([Math.round(paris), none]).toEqual([877, 0]);
  });

  it('asks of a stranger what the request costs: by the hours of a forecast, and by the places that are measured', async () => {
    const asks = async (path: string, init?: RequestInit): Promise<unknown> => {
      const { status, body } = await json(path, init);
      const [offer] = (body['accepts'] ?? []) as { maxAmountRequired: string; description: string }[];
      return [status, offer?.maxAmountRequired, offer?.description];
    };
    const day = '/v1/forecast?latitude=0&longitude=0&date=2026-11-21';
    expect(await asks(day)).toEqual([402, '1000', 'forecast']);
    expect(await asks(`${day}&granularity=daily`)).toEqual([402, '1000', 'forecast']);
    expect(await asks(`${day}&granularity=hourly`)).toEqual([402, '4000', 'forecast.hourly']);
    expect(await json(`${day}&granularity=weekly`)).toMatchObject({
      status: 400,
      body: { code: 'tariff/unknown-choice' },
    });
    const measure = (places: number): RequestInit => {
      const to = Array.from({ length: places }, () => ({ latitude: 1, longitude: 1 }));
      const body = JSON.stringify({ from: { latitude: 0, longitude: 0 }, to });
      return { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    };
    expect(await asks('/v1/distances', measure(10))).toEqual([402, '2000', 'distances']);
    expect(await asks('/v1/distances', measure(11))).toEqual([402, '4000', 'distances']);
    expect(await asks('/v1/distances', measure(100))).toEqual([402, '20000', 'distances']);
    for (const places of [0, 101]) {
      expect(await json('/v1/distances', measure(places))).toMatchObject({
        status: 400,
        body: { code: 'request/invalid' },
      });
    }
    const { secret } = await openAccount(ground, api, { includedUnits: 100, overage: 'reject' });
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    await json('/v1/distances', { ...measure(95), headers });
    await json(`${day}&granularity=hourly`, { headers });
    expect((await json('/v1/usage', { headers })).body).toMatchObject({ used: '24' });
  });

  it('lets a customer ask for their usage by key and for nothing; no key, a bad key: 401', async () => {
    const { secret, account } = await openAccount(ground, api, {
      includedUnits: 100,
      overage: 'invoice',
      overagePrice: '$0.001',
    });
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ from: { latitude: 0, longitude: 0 }, to: [{ latitude: 1, longitude: 1 }] });
    await fetch(`${api.url}/v1/distances`, { method: 'POST', headers, body });
    expect((await json('/v1/usage', { headers })).body).toMatchObject({
      account,
      used: '2',
      included: '100',
      overage: 'invoice',
    });
    expect(await json('/v1/usage')).toMatchObject({ status: 401, body: { code: 'credential/required' } });
    const bad = { authorization: 'Bearer kf_test_no' };
    expect(await json('/v1/usage', { headers: bad })).toMatchObject({
      status: 401,
      body: { code: 'credential/malformed' },
    });
  });

  it('lets nobody but the operator into /admin', async () => {
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `Basic ${await operatorToken(ground, api)}` },
      { authorization: `Bearer ${ground.env['BOOTSTRAP_TOKEN']}` },
    ]) {
      const answer = await json('/admin/accounts', { headers });
      expect(answer).toMatchObject({ status: 401, body: { code: 'operator/unauthorized' } });
    }
    expect(await admin(ground, api, '/accounts')).toEqual({ items: expect.any(Array), next: null });
  });

  it('refuses what no plan, account or key can be, and what does not exist', async () => {
    const token = await operatorToken(ground, api);
    const post = (path: string, body: unknown) =>
      json(`/admin${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const plan = { slug: 'good', includedUnits: 1, overage: 'reject' };
    for (const bad of [
      { ...plan, slug: 'Bad Slug' },
      { ...plan, includedUnits: -1 },
      { ...plan, overage: 'free' },
      { ...plan, overagePrice: '1.5' },
    ]) {
      expect(await post('/plans', bad)).toMatchObject({ status: 400, body: { code: 'request/invalid' } });
    }
    expect(await post('/accounts', { name: 'A', plan: 'nowhere' })).toMatchObject({
      status: 404,
      body: { code: 'plan/not-found' },
    });
    expect(await post('/accounts/acct_no/keys', {})).toMatchObject({
      status: 404,
      body: { code: 'account/not-found' },
    });
    expect(await post('/keys/no/rotate', {})).toMatchObject({ status: 404, body: { code: 'key/not-found' } });
    expect(await post('/keys/no/revoke', {})).toMatchObject({ status: 404, body: { code: 'key/not-found' } });
  });

  it('writes structured lines, and no secret of its own or of its callers in any of them', async () => {
    const { secret } = await openAccount(ground, api, { includedUnits: 10, overage: 'reject' });
    const payer = await fundedPayer(ground.chain, 1);
    const payload = await signAuthorization({ payer, to: ground.payTo, value: 1_000n });
    const payment = paymentHeaderV2({ payload, accepted: usdcRequirements(ground.payTo, 1_000n) });
    const path = '/v1/forecast?latitude=1&longitude=1&date=2026-11-21';
    for (const headers of [
      { 'x-api-key': secret },
      { 'payment-signature': payment },
      { authorization: 'Bearer kf_test_wrong' },
    ]) {
      await fetch(`${api.url}${path}`, { headers });
    }
    const { headers: last } = await fetch(`${api.url}/admin/operators/self`, {
      headers: { authorization: `Bearer ${await operatorToken(ground, api)}` },
    });
    const log = await logged(api, last.get('request-id') ?? 'none');
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === 'exchange').length).toBeGreaterThan(3);
    const secrets = [
      secret,
      secret.split('_')[3],
      payment,
      payload.signature.slice(2),
      ground.env['SETTLER_PRIVATE_KEY']?.slice(2),
      ground.env['BOOTSTRAP_TOKEN'],
      await operatorToken(ground, api),
      ground.env['API_KEY_PEPPERS']?.split(':')[1],
      ground.env['RECEIPT_SIGNING_KEY']?.split('\n')[1],
      new URL(ground.database.url).password,
    ];
    for (const text of secrets) {
      expect(text?.length).toBeGreaterThan(8);
      expect(log).not.toContain(text);
    }
  });
});
