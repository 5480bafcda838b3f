import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));
let world: World;
const services: Service[] = [];

beforeEach(async () => {
  world = await openWorld();
}, 60_000);
afterEach(async () => {
  await Promise.all(services.splice(0).map(async (service) => service.close()));
  await world.close();
});

async function start(): Promise<Service> {
  const service = await startService(world);
  services.push(service);
  return service;
}

describe('the process', () => {
  it('does in the morning what nobody was there to do in the night', async () => {
    const first = await start();
    await first.reconcile();
    await first.close();
    services.splice(0);
    world.clock.advance(25 * 3_600_000);
    await start();
    const scheduled = async (): Promise<number> =>
      (await world.rows(`select 1 from billing.reconciliation where trigger = 'schedule'`)).length;
    expect(await settled(scheduled, 1)).toBe(1);
  }, 30_000);

  it('that is killed in the middle of a long log goes on where it stopped: every call is billed, and none twice', async () => {
    const calls = 20_000;
    await world.log.terms('acct_1', { includedUnits: '1000' });
    await world.log.keyCalls('acct_1', calls);
    const charged = async (): Promise<number> =>
      (await world.rows<{ n: number }>('select count(*)::int as n from billing.charge'))[0]?.n ?? 0;
    const kills: number[] = [];
    for (let life = 0; life < 3 && (kills.at(-1) ?? 0) < calls; life += 1) {
      const child = spawn(process.execPath, [main], {
        env: { PATH: process.env['PATH'] ?? '', ...world.env, PORT: String(await choosePort()), LOG_LEVEL: 'silent' },
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      const before = await charged();
      const worked = await settled(async () => (await charged()) > before, true);
      child.kill('SIGKILL');
      await exited;
      expect(worked).toBe(true);
      kills.push(await charged());
    }
    expect(kills[0]).toBeLessThan(calls);
    await start();
    while ((await charged()) < calls) await new Promise((wake) => setTimeout(wake, 50));
    const [sums] = await world.rows(
      `select (select sum(units) from billing.charge)::text as units, (select sum(overage) from billing.charge)::text as overage,
        (select sum(amount) from billing.ledger_line where amount > 0)::text as posted,
        (select units from billing.period_total)::text as total`,
    );
    expect(sums).toEqual({ units: '20000', overage: '19000', posted: String(19_000 * 250), total: '20000' });
  }, 90_000);
});
