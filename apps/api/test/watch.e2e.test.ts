import { randomBytes } from 'node:crypto';
import { choosePort } from '@keyfare/devstack/ports';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Ground, openGround, startApi } from './api-process.js';

describe('who watches the API', () => {
  let ground: Ground;
  let api: Api;
  let watchUrl: string;
  const token = randomBytes(32).toString('base64url');

  beforeAll(async () => {
    ground = await openGround();
    const port = await choosePort();
    watchUrl = `http://127.0.0.1:${String(port)}`;
    api = await startApi(ground, { WATCH_PORT: String(port), WATCH_TOKEN: token });
  }, 60_000);
  afterAll(async () => {
    await api.service.stop();
    await ground.close();
  }, 30_000);

  const get = async (url: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> => {
    const response = await fetch(url, { headers });
    return { status: response.status, text: await response.text() };
  };

  it('sees metrics and the details of readiness on a port of its own, and nothing else there', async () => {
    const metrics = await get(`${watchUrl}/metrics`);
    expect(metrics.status).toBe(200);
    expect(metrics.text).toContain('keyfare_calls_total');
    // What is asked for the first time may not have answered in its time.
    let ready: unknown;
    for (const end = Date.now() + 25_000; Date.now() < end; await new Promise((wake) => setTimeout(wake, 100))) {
      ready = JSON.parse((await get(`${watchUrl}/readyz`)).text);
      if ((ready as { readonly status: unknown }).status === 'ready') break;
    }
    expect(ready).toMatchObject({ status: 'ready', database: 'up' });
    expect((await get(`${watchUrl}/healthz`)).status).toBe(200);
    for (const path of [
      '/v1/forecast',
      '/admin/accounts',
      '/openapi.json',
      '/.well-known/jwks.json',
      '/nothing',
      '//metrics',
    ]) {
      const { status, text } = await get(watchUrl + path);
      expect([path, status, (JSON.parse(text) as { code: string }).code]).toEqual([path, 404, 'request/not-found']);
    }
  });

  it('sees them on the port of the calls with the token, and a stranger sees neither', async () => {
    const authorization = `Bearer ${token}`;
    expect((await get(`${api.url}/metrics`, { authorization })).status).toBe(200);
    expect(JSON.parse((await get(`${api.url}/readyz`, { authorization })).text)).toMatchObject({ database: 'up' });
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: token }] as Record<
      string,
      string
    >[]) {
      expect((await get(`${api.url}/metrics`, headers)).status).toBe(404);
      expect(await get(`${api.url}/readyz`, headers)).toEqual({ status: 200, text: '{"status":"ready"}' });
      expect(await get(`${api.url}/healthz`, headers)).toEqual({ status: 200, text: '{"status":"ok"}' });
    }
  });
});
