import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { stopChain } from '../src/chain/index.js';
import { isPostgresRunning, killPostgres } from '../src/postgres/index.js';
import { transferUsdc } from '../src/usdc.js';
import {
  answers,
  callByKey,
  chainPid,
  closedMonth,
  ended,
  launch,
  nothingRuns,
  reconcile,
  start,
  stop,
} from './starts.js';

describe('npm start, begun and ended in other ways', () => {
  let homes: readonly [string, string];

  beforeEach(() => {
    homes = [mkdtempSync(join(tmpdir(), 'keyfare-start-')), mkdtempSync(join(tmpdir(), 'keyfare-start-'))];
    for (const home of homes) chmodSync(home, 0o711);
  });
  afterEach(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  });

  it('starts again while a break is open, and leaves it to whoever resolves breaks', async () => {
    const [, home] = homes;
    const { ready, ...first } = await start(home, '--no-story');
    await transferUsdc(ready.rpc, { privateKey: ready.payer.privateKey, to: ready.payTo, value: 1_000n });
    expect(await stop(first)).toBe(0);
    const second = await start(home);
    expect((await reconcile(second.ready)).map((found) => found.class)).toEqual(['unknown-inbound']);
    // Whether the month can be locked beside that break is the checklist's to say.
    const settled = { invoices: ['paid'], pdf: '%PDF-' };
    expect(await closedMonth(second.ready)).toMatchObject(settled);
    expect(await stop(second)).toBe(0);
    // Nothing is paid again.
    const third = await start(home);
    expect(await closedMonth(third.ready)).toMatchObject(settled);
    expect((await reconcile(third.ready)).map((found) => found.class)).toEqual(['unknown-inbound']);
    expect(await stop(third)).toBe(0);
  }, 600_000);

  it('stops at once when it is told to while it starts, and leaves nothing running', async () => {
    const [, home] = homes;
    const launched = launch(home);
    while (!isPostgresRunning({ dataDir: join(home, 'postgres') })) await new Promise((wake) => setTimeout(wake, 10));
    expect(await stop(launched)).toBe(0);
    expect(launched.said()).toBe('');
    nothingRuns(home);
  }, 600_000);

  it('ends with 1, and says why, when the chain or PostgreSQL dies', async () => {
    const [, home] = homes;
    const one = await start(home, '--no-story');
    const port = new URL(one.ready.rpc).port;
    const exited = ended(one.process);
    process.kill(chainPid(home), 'SIGKILL');
    expect(await exited).toBe(1);
    expect(one.complaint()).toContain('chain ended by itself');
    nothingRuns(home);
    const two = await start(home, '--no-story');
    expect(new URL(two.ready.rpc).port).toBe(port);
    const exitedToo = ended(two.process);
    await killPostgres({ dataDir: join(home, 'postgres') });
    expect(await exitedToo).toBe(1);
    expect(two.complaint()).toMatch(/postgres|api|billing/);
    nothingRuns(home);
  }, 600_000);

  it('continues with the same data, and after a kill -9 of everything, without repair and with whole books', async () => {
    const [home] = homes;
    const before = await start(home, '--no-story');
    const answer = await callByKey(before.ready);
    const receipt = answer.headers.get('receipt-id') ?? '';
    const pids = readdirSync(join(home, 'run')).map((file) => readFileSync(join(home, 'run', file), 'utf8'));
    before.process.kill('SIGKILL');
    for (const record of pids)
      process.kill((JSON.parse(record) as { process: { pid: number } }).process.pid, 'SIGKILL');
    await killPostgres({ dataDir: join(home, 'postgres') });
    const after = await start(home);
    expect(after.ready).toMatchObject({ demoKey: before.ready.demoKey, payTo: before.ready.payTo });
    const found = await fetch(`${after.ready.api}/receipts/${receipt}`);
    expect(await found.text()).toBe(answer.headers.get('keyfare-receipt'));
    expect(await reconcile(after.ready)).toEqual([]);
    expect(await stop(after)).toBe(0);
  }, 600_000);

  it('ends what a start left running that was killed alone', async () => {
    const [, home] = homes;
    const before = await start(home, '--no-story');
    before.process.kill('SIGKILL');
    await new Promise((resolve) => before.process.once('exit', resolve));
    expect(await answers(before.ready.api)).toBe(true);
    const after = await start(home, '--no-story');
    expect(after.ready.api).toBe(before.ready.api);
    expect((await callByKey(after.ready)).status).toBe(200);
    expect(await stop(after)).toBe(0);
    await stopChain(join(home, 'chain', 'state.json'));
  }, 600_000);
});
