import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { answers, callByKey, closedMonth, enter, nothingRuns, reconcile, route, start, stop } from './starts.js';

describe('npm start', () => {
  let homes: readonly [string, string];

  beforeAll(() => {
    homes = [mkdtempSync(join(tmpdir(), 'keyfare-start-')), mkdtempSync(join(tmpdir(), 'keyfare-start-'))];
    for (const home of homes) chmodSync(home, 0o711);
  });
  afterAll(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  });

  it('tells the story on real parts to a month that is closed, says one line of JSON, serves, and stops cleanly; two homes run side by side', async () => {
    const [one, two] = await Promise.all([start(homes[0]), start(homes[1], '--no-story')]);
    expect([one.prose, two.prose]).toEqual([[], []]);
    expect(Object.keys(one.ready)).toEqual([
      'api',
      'billing',
      'console',
      'rpc',
      'databaseUrl',
      'adminToken',
      'demoKey',
      'payer',
      'payTo',
      'asset',
      'network',
    ]);
    expect(one.ready).toMatchObject({ network: 'eip155:84532', asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e' });
    expect(one.ready.api).not.toBe(two.ready.api);
    for (const { ready } of [one, two]) {
      const answer = await callByKey(ready);
      expect(answer.status).toBe(200);
      expect(answer.headers.has('keyfare-receipt')).toBe(true);
      expect((await fetch(`${ready.api}${route}`)).status).toBe(402);
      expect(await reconcile(ready)).toEqual([]);
    }
    expect(await closedMonth(one.ready)).toEqual({ state: 'locked', invoices: ['paid'], pdf: '%PDF-' });
    expect(await closedMonth(two.ready)).toEqual({ state: 'open', invoices: [], pdf: '' });
    expect([await enter(one.ready), await enter(one.ready)]).toEqual([200, 401]);
    await expect(start(homes[0])).rejects.toThrow('in use');
    expect([await stop(one), await stop(two)]).toEqual([0, 0]);
    for (const { ready } of [one, two]) {
      for (const url of [ready.api, ready.billing, ready.rpc]) expect(await answers(url)).toBe(false);
    }
    for (const home of homes) nothingRuns(home);
  }, 600_000);
});
