import type { Period } from '@keyfare/core/time';
import { adminQuery } from '@keyfare/devstack/postgres';
import { eurcAddress, fundEth, mintUsdc } from '@keyfare/devstack/usdc';
import { migrateGate } from '@keyfare/gate/database';
import { AgreementService } from '@keyfare/gate/services';
import { privateKeyToAddress } from 'viem/accounts';
import { historyChain } from './chain.js';
import { type Ground, startGate } from './gate.js';
import { crash, drop, goBeyond, neverCollect, reorganize } from './incidents.js';
import type { Manifest } from './manifest.js';
import { type HistoryOptions, monthsOf } from './options.js';
import { notPlanted, plantAfterwards, plantBreaks } from './plants.js';
import {
  accountOf,
  ask,
  changePlan,
  count,
  createPlans,
  moveTo,
  openAccount,
  playCalls,
  playPaid,
  type Stage,
  select,
} from './player.js';
import { type Random, randomOf } from './random.js';
import { type Happening, scheduleOf } from './schedule.js';
import { secretsOf, walletOf } from './secrets.js';
import { historyTime, shadowDatabaseTime } from './time.js';

export type { ExpectedBreak, Manifest } from './manifest.js';
export type { HistoryOptions } from './options.js';
export { randomOf } from './random.js';
export { type SeedSecrets, secretsOf } from './secrets.js';

/** Where to make a history. */
export interface HistoryGround {
  /** The login of the API. */
  readonly databaseUrl: string;
  /** Owns the schema: migrations run as this. @default `databaseUrl` */
  readonly ownerUrl?: string;
  /** Makes the months of the past, and the breaks that take more rights than the API has. @default `ownerUrl` */
  readonly superuserUrl?: string;
  /** A local chain (anvil) with the test tokens, none of whose blocks is younger than the history's begin. */
  readonly rpcUrl: string;
}

/** When the first block of a chain may be, for a history of these options. */
export function chainBegin(options: Pick<HistoryOptions, 'months' | 'until'>, now: Date): Date {
  const [first] = monthsOf(options, now);
  return new Date((first?.start.getTime() ?? now.getTime()) - 86_400_000);
}

/**
 * Makes months of history in a database without one, through the gate's own code: a gate runs in this process, on the
 * history's clock. Rejects when a call is not answered as it must be, and then leaves what was made so far.
 */
export async function makeHistory(
  { databaseUrl, ownerUrl = databaseUrl, superuserUrl = ownerUrl, rpcUrl }: HistoryGround,
  given: HistoryOptions,
  say: (step: string) => void = () => undefined,
): Promise<Manifest> {
  const startedMs = performance.now();
  const options: Required<HistoryOptions> = {
    paidPercent: 2,
    breaks: true,
    ...given,
    until: given.until ?? new Date().toISOString().slice(0, 7),
  };
  if (options.accounts < 2 || options.months < 1)
    throw new RangeError('a history has two accounts and a month at least');
  const months = monthsOf(options, new Date());
  const random = randomOf(options.seed);
  await migrateGate(ownerUrl);
  const stage = await openStage(
    { databaseUrl, rpcUrl, secrets: secretsOf(random) },
    { superuserUrl, options, months, random },
  );
  say(`${String(stage.schedule.happenings.length)} things are going to happen`);
  try {
    await play(stage, say);
    if (options.breaks) await plantBreaks(stage, months.at(-1)?.end ?? new Date());
    await untilPlaced(stage);
  } finally {
    await stage.gate.close();
    await stage.databaseTime.end();
  }
  if (options.breaks) await plantAfterwards(stage);
  return await manifestOf(stage, { options, months, startedMs });
}

interface Opening {
  readonly superuserUrl: string;
  readonly options: Required<HistoryOptions>;
  readonly months: readonly Period[];
  readonly random: Random;
}

async function openStage(ground: Ground, { superuserUrl, options, months, random }: Opening): Promise<Stage> {
  const begin = months[0]?.start ?? new Date();
  const schedule = scheduleOf(options, months, random);
  const [found] = await adminQuery<{ any: boolean }>(
    superuserUrl,
    'select exists (select 1 from keyfare.entry) as any',
  );
  if (found?.any === true) throw new Error('the database has a log already: a history begins with none');
  // The months of the log, as the gate's sequencer makes those to come.
  for (const { start } of months) await adminQuery(superuserUrl, 'select keyfare.make_month($1)', [start]);
  const time = historyTime(begin);
  const chain = await historyChain(ground.rpcUrl, begin);
  await chain.moveTo(begin);
  const wallets = Array.from({ length: schedule.payers }, (_, index) => walletOf(random, `payer ${String(index)}`));
  await fundEth(ground.rpcUrl, privateKeyToAddress(ground.secrets.settlerKey), 10n ** 21n);
  for (const { address } of wallets) {
    await mintUsdc(ground.rpcUrl, address, 10n ** 12n);
    await mintUsdc(ground.rpcUrl, address, 10n ** 12n, eurcAddress);
  }
  const databaseTime = await shadowDatabaseTime(superuserUrl, begin);
  const gate = await startGate(ground, time);
  const stage: Stage = {
    ground,
    superuserUrl,
    gate,
    chain,
    time,
    databaseTime,
    schedule,
    random,
    wallets,
    breaks: [],
    tally: { served: {}, refused: {} },
    accounts: new Map(),
  };
  await createPlans(stage, schedule.plans);
  return stage;
}

type Call = Extract<Happening, { kind: 'key' | 'free' }>;

/** Everything in its order. Calls between two other things are under way together. */
async function play(stage: Stage, say: (step: string) => void): Promise<void> {
  let calls: Call[] = [];
  let month = '';
  for (const [index, happening] of stage.schedule.happenings.entries()) {
    if (happening.kind === 'key' || happening.kind === 'free') {
      calls.push(happening);
      if (calls.length < 5_000) continue;
    }
    await playCalls(stage, calls);
    calls = [];
    await moveTo(stage, happening.at);
    if (happening.kind !== 'key' && happening.kind !== 'free') await happen(stage, happening, index);
    const now = happening.at.toISOString().slice(0, 7);
    if (now !== month) say(now);
    month = now;
  }
  await playCalls(stage, calls);
}

async function happen(stage: Stage, happening: Exclude<Happening, Call>, index: number): Promise<void> {
  const { schedule, gate } = stage;
  const { at } = happening;
  switch (happening.kind) {
    case 'open': {
      const planned = schedule.accounts[happening.account];
      if (planned === undefined) throw new RangeError('an account without a plan');
      stage.accounts.set(happening.account, await openAccount(stage, { ...planned, at }));
      return;
    }
    case 'change':
      await changePlan(stage, accountOf(stage, happening.account).id, {
        plan: schedule.accounts[happening.account]?.change?.plan ?? '',
        at,
      });
      return;
    case 'close':
      await gate.app.get(AgreementService).close(accountOf(stage, happening.account).id);
      return;
    case 'late': {
      const headers = { authorization: `Bearer ${accountOf(stage, happening.account).secret}` };
      count(stage.tally, 'late', await ask(stage, { at: happening.occurredAt, path: '/forecast', headers }), [
        'meter/exhausted',
      ]);
      return;
    }
    case 'paid':
    case 'bulk':
      await playPaid(stage, happening, String(index));
      return;
    case 'beyond':
      await goBeyond(stage, at);
      return;
    case 'crash':
      await crash(stage, at);
      return;
    case 'reorg':
      await reorganize(stage, at);
      return;
    case 'dropped':
      await drop(stage, at);
      return;
    case 'uncollectable':
      await neverCollect(stage, at);
      return;
  }
}

/** Every entry has its place: a reader of the log finds all of them. */
async function untilPlaced(stage: Stage): Promise<void> {
  for (;;) {
    const rows = await select(stage, 'select 1 from keyfare.unplaced limit 1');
    if (rows.length === 0) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

async function manifestOf(
  stage: Stage,
  { options, months, startedMs }: { options: Required<HistoryOptions>; months: readonly Period[]; startedMs: number },
): Promise<Manifest> {
  const entries = await select<{ kind: string; count: string }>(
    stage,
    'select kind, count(*) from keyfare.entry group by kind order by kind',
  );
  const keys = await select<{ jwk: Manifest['jwks']['keys'][number] }>(stage, 'select jwk from keyfare.receipt_key');
  return {
    version: 1,
    options,
    from: months[0]?.start.toISOString() ?? '',
    until: months.at(-1)?.end.toISOString() ?? '',
    network: 'base-sepolia',
    payTo: stage.ground.secrets.payTo.toLowerCase(),
    jwks: { keys: keys.map(({ jwk }) => jwk) },
    accounts: [...stage.accounts.values()].map(({ name, id }) => ({ name, id })),
    served: stage.tally.served,
    refused: stage.tally.refused,
    entries: Object.fromEntries(entries.map(({ kind, count: number }) => [kind, Number(number)])),
    breaks: stage.breaks,
    notPlanted,
    tookSeconds: Math.round((performance.now() - startedMs) / 100) / 10,
  };
}
