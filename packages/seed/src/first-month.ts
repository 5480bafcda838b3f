import { text } from 'node:stream/consumers';
import { parsePrice } from '@keyfare/core/money';
import { parseMonth } from '@keyfare/core/time';
import { adminQuery } from '@keyfare/devstack/postgres';
import { migrateGate } from '@keyfare/gate/database';
import { AgreementService, KeyService, PlanService } from '@keyfare/gate/services';
import { type Ground, startGate } from './gate.js';
import { ask } from './player.js';
import { historyTime, shadowDatabaseTime } from './time.js';

/** What `npm start` asks for, in JSON on standard input: it holds secrets, which arguments would show to everybody. */
export interface FirstMonthOrders {
  readonly ground: Ground;
  readonly ownerUrl: string;
  readonly superuserUrl: string;
  /** A month that is over, such as 2026-10. */
  readonly month: string;
  readonly customer: string;
  readonly plan: {
    readonly slug: string;
    readonly includedUnits: number;
    readonly overagePrice: string;
    readonly monthlyPrice: string;
  };
  readonly calls: number;
}

/** The answer on standard output; null where the database has a log already, and nothing was made. */
export type FirstMonth = { readonly account: string; readonly key: string } | null;

const dayMs = 86_400_000;

/** A month of one customer with a key, through a gate whose clock is in that month: a call a day. */
async function make(orders: FirstMonthOrders): Promise<FirstMonth> {
  const { ground, ownerUrl, superuserUrl, plan } = orders;
  await migrateGate(ownerUrl);
  const [found] = await adminQuery<{ any: boolean }>(
    superuserUrl,
    'select exists (select 1 from keyfare.entry) as any',
  );
  if (found?.any === true) return null;
  const { start } = parseMonth(orders.month);
  await adminQuery(superuserUrl, 'select keyfare.make_month($1)', [start]);
  const time = historyTime(start);
  const databaseTime = await shadowDatabaseTime(superuserUrl, start);
  try {
    const gate = await startGate(ground, time);
    try {
      await gate.app.get(PlanService).create({
        slug: plan.slug,
        includedUnits: BigInt(plan.includedUnits),
        overage: 'invoice',
        overagePrice: parsePrice(plan.overagePrice),
        monthlyPrice: parsePrice(plan.monthlyPrice),
      });
      const { id: account } = await gate.app.get(AgreementService).open({ name: orders.customer, plan: plan.slug });
      const { secret: key } = await gate.app.get(KeyService).issue(account, { name: 'demo' });
      for (let day = 1; day <= orders.calls; day += 1) {
        const at = new Date(start.getTime() + day * dayMs);
        time.moveTo(at);
        await databaseTime.moveTo(at);
        const answer = await ask({ gate }, { at, path: '/forecast', headers: { authorization: `Bearer ${key}` } });
        if (answer.status !== 200) throw new Error(`a call was answered ${String(answer.status)}: ${answer.body}`);
      }
      return { account, key };
    } finally {
      await gate.close();
    }
  } finally {
    await databaseTime.end();
  }
}

const made = await make(JSON.parse(await text(process.stdin)) as FirstMonthOrders);
process.stdout.write(`${JSON.stringify(made)}\n`);
