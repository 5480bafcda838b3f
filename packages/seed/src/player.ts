import { Agent, request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { parsePrice } from '@keyfare/core/money';
import type { TestPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { AgreementService, KeyService, PlanService, TermsService } from '@keyfare/gate/services';
import { type Address, bytesToHex, type Hex } from 'viem';
import { type HistoryChain, signPayment } from './chain.js';
import { addressHeader, type Ground, type SeedGate, timeHeader } from './gate.js';
import type { ExpectedBreak } from './manifest.js';
import type { Random } from './random.js';
import type { Happening, PaidCall, Schedule, SoldPlan } from './schedule.js';
import { walletOf } from './secrets.js';
import type { DatabaseTime, HistoryTime } from './time.js';

/** What a history is made with. */
export interface Stage {
  readonly ground: Ground;
  /** Sees and changes everything. */
  readonly superuserUrl: string;
  readonly gate: SeedGate;
  readonly chain: HistoryChain;
  readonly time: HistoryTime;
  readonly databaseTime: DatabaseTime;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly wallets: readonly TestPayer[];
  readonly breaks: ExpectedBreak[];
  readonly tally: Tally;
  readonly accounts: Map<number, OpenAccount>;
}

export interface OpenAccount {
  readonly name: string;
  readonly id: string;
  readonly secret: string;
}

/** What was served and refused. */
export interface Tally {
  readonly served: Record<string, number>;
  readonly refused: Record<string, number>;
}

const atOnce = 64;
const prices: Readonly<Record<PaidCall['flow'], Readonly<Record<'USDC' | 'EURC', bigint>>>> = {
  authorization: { USDC: 1_000n, EURC: 900n },
  upfront: { USDC: 5_000n, EURC: 4_500n },
  deferred: { USDC: 3_000n, EURC: 2_700n },
};
const paths: Readonly<Record<PaidCall['flow'], string>> = {
  authorization: '/forecast',
  upfront: '/archive',
  deferred: '/stream',
};

/** The answer to a call in the history. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 128 });

/** What is called, when, and from where. */
export interface Question {
  readonly at: Date;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
}

/** A call over HTTP, at its own time. */
export async function ask({ gate }: Pick<Stage, 'gate'>, question: Question): Promise<Answer> {
  const { at, path, headers = {}, address = '192.0.2.1' } = question;
  return new Promise((answered, failed) => {
    const sent = request({
      agent,
      host: '127.0.0.1',
      port: gate.port,
      path,
      headers: { ...headers, [timeHeader]: String(at.getTime()), [addressHeader]: address },
    });
    sent.once('error', failed);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        answered({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
      response.once('error', failed);
    });
    sent.end();
  });
}

/** Counts an answer; throws for one that is neither good nor the refusal that was expected. */
export function count(
  { served, refused }: Tally,
  name: string,
  { status, body }: Answer,
  mayRefuse: readonly string[] = [],
): boolean {
  if (status === 200) {
    served[name] = (served[name] ?? 0) + 1;
    return true;
  }
  const { code = 'unknown' } = body.startsWith('{') ? (JSON.parse(body) as { code?: string }) : {};
  if (!mayRefuse.includes(code)) throw new Error(`a call (${name}) was answered ${String(status)}: ${body}`);
  refused[code] = (refused[code] ?? 0) + 1;
  return false;
}

/** Moves the time of the gate and of its database. */
export async function moveTo({ time, databaseTime }: Stage, at: Date): Promise<void> {
  time.moveTo(at);
  await databaseTime.moveTo(time.now);
}

/** The plans of a history, made before anything else. */
export async function createPlans({ gate }: Stage, plans: readonly SoldPlan[]): Promise<void> {
  for (const { slug, includedUnits, overage, overagePrice, monthlyPrice } of plans) {
    await gate.app.get(PlanService).create({
      slug,
      includedUnits: BigInt(includedUnits),
      overage,
      overagePrice: overagePrice === null ? null : parsePrice(overagePrice),
      monthlyPrice: parsePrice(monthlyPrice),
    });
  }
}

/** Opens an account, now, with a key. */
export async function openAccount(
  stage: Stage,
  { name, plan, at }: { name: string; plan: string; at: Date },
): Promise<OpenAccount> {
  await moveTo(stage, at);
  const { gate } = stage;
  const { id } = await gate.app.get(AgreementService).open({ name, plan });
  const { secret } = await gate.app.get(KeyService).issue(id, { name: 'history' });
  return { name, id, secret };
}

/** As `openAccount`, of one that is in no schedule; the manifest names it. */
export async function openGuest(stage: Stage, guestOf: { name: string; plan: string; at: Date }): Promise<OpenAccount> {
  const account = await openAccount(stage, guestOf);
  stage.accounts.set(stage.accounts.size + stage.schedule.accounts.length, account);
  return account;
}

/** Puts an account on a plan, now, and waits until the process that serves calls knows of it. */
export async function changePlan(stage: Stage, id: string, { plan, at }: { plan: string; at: Date }): Promise<void> {
  await moveTo(stage, at);
  const { gate } = stage;
  const { plan: agreed } = await gate.app.get(AgreementService).changePlan(id, plan);
  await until(
    `the terms of ${id}`,
    async () => (await gate.app.get(TermsService).of(id)).plan.planId === agreed.planId,
  );
}

/** Calls of one lane after the other, `atOnce` of them at the same time. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}

type KeyCall = Extract<Happening, { kind: 'key' | 'free' }>;

/** Calls by key and free ones, as many at a time as a process has under way. */
export async function playCalls(stage: Stage, calls: readonly KeyCall[]): Promise<void> {
  await inTurns(calls, async (call) => {
    if (call.kind === 'free') {
      count(stage.tally, 'free', await ask(stage, { at: call.at, path: '/sample', address: call.address }));
    } else {
      const headers = { authorization: `Bearer ${accountOf(stage, call.account).secret}` };
      const answer = await askAgain(stage, { at: call.at, path: `/${call.sku}`, headers });
      count(stage.tally, 'key', answer, ['meter/exhausted']);
    }
  });
}

const againAfterMs = 250;

/** Asks until the last units of a plan are not in other calls' hands any more, as a caller does. */
async function askAgain(stage: Stage, question: Question): Promise<Answer> {
  const answer = await ask(stage, question);
  if (answer.status !== 429 || !answer.body.includes('meter/contended')) return answer;
  await setTimeout(againAfterMs);
  return askAgain(stage, question);
}

export function accountOf({ accounts }: Stage, index: number): OpenAccount {
  const account = accounts.get(index);
  if (account === undefined) throw new Error(`account ${String(index)} is not open`);
  return account;
}

/** What a wallet pays. */
export interface Purchase {
  readonly payer: TestPayer;
  readonly flow: PaidCall['flow'];
  readonly asset: 'USDC' | 'EURC';
  readonly at: Date;
  readonly nonce: Hex;
  /** A query for the route. */
  readonly query?: string;
}

/** Buys one call, and answers what came of it. */
export async function buy(stage: Stage, { payer, flow, asset, at, nonce, query = '' }: Purchase): Promise<Answer> {
  const validMs = flow === 'deferred' ? 3_500_000 : 110_000;
  const { headers } = await signPayment({
    payer,
    to: stage.ground.secrets.payTo,
    amount: prices[flow][asset],
    asset,
    nonce,
    validBefore: new Date(at.getTime() + validMs),
  });
  return ask(stage, { at, path: `${paths[flow]}${query}`, headers });
}

/** What a call of a flow costs. */
export function priceOf(flow: PaidCall['flow'], asset: 'USDC' | 'EURC'): bigint {
  return prices[flow][asset];
}

/** A nonce by its name in the history. */
export function nonceOf({ random }: Stage, name: string): Hex {
  return bytesToHex(random.bytes(`nonce ${name}`));
}

/** A burst of payments: all at once, at the block of its time. */
export async function playPaid(
  stage: Stage,
  burst: Extract<Happening, { kind: 'paid' | 'bulk' }>,
  name: string,
): Promise<void> {
  const { chain, tally } = stage;
  await moveTo(stage, burst.at);
  await chain.moveTo(burst.at);
  await Promise.all(
    burst.calls.map(async ({ payer: index, asset, flow, fails, at }, nth) => {
      const payer = walletAt(stage, index);
      const nonce = nonceOf(stage, `${name} ${String(nth)}`);
      const answer = await buy(stage, { payer, flow, asset, at, nonce, ...(fails ? { query: '?fails=yes' } : {}) });
      if (!fails) {
        count(tally, flow, answer);
        return;
      }
      tally.refused['handler/failed'] = (tally.refused['handler/failed'] ?? 0) + 1;
      stage.breaks.push(
        refundDue({
          payer: payer.address,
          nonce,
          asset,
          amount: priceOf(flow, asset),
          how: 'the handler of a call failed that was paid for before it ran',
        }),
      );
    }),
  );
  await moveTo(stage, new Date(burst.at.getTime() + burst.calls.length * 2_000));
  if (burst.kind === 'bulk') await collect(stage);
  await chain.mine(2);
}

function walletAt({ wallets }: Stage, index: number): TestPayer {
  const wallet = wallets[index];
  if (wallet === undefined) throw new Error(`there is no wallet ${String(index)}`);
  return wallet;
}

/** Lets credit grow old enough to be collected, and waits until it is. */
async function collect(stage: Stage): Promise<void> {
  const at = new Date(stage.time.now.getTime() + 310_000);
  await stage.chain.moveTo(at);
  await moveTo(stage, at);
  await until('the calls on credit', async () => {
    const rows = await select(
      stage,
      `select 1 from keyfare.payment where flow = 'deferred' and state in ('served', 'settling') limit 1`,
    );
    if (rows.length > 0) await stage.chain.mine(1);
    return rows.length === 0;
  });
}

export function refundDue(refund: {
  payer: Address;
  nonce: Hex;
  asset: string;
  amount: bigint;
  how: string;
}): ExpectedBreak {
  const { payer, nonce, asset, amount, how } = refund;
  return {
    class: 'refund-due',
    keys: { payer: payer.toLowerCase(), nonce },
    asset,
    amount: amount.toString(),
    kind: 'business',
    how,
  };
}

/** A wallet that is in no schedule, with `amount` of USDC. */
export function guest({ random }: Stage, name: string): TestPayer {
  return walletOf(random, name);
}

/** Rows, as the superuser. */
export async function select<Row extends Record<string, unknown>>(
  { superuserUrl }: Stage,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  return adminQuery<Row>(superuserUrl, text, values);
}

const patienceMs = 240_000;

/** Waits until it is so. Throws after four. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not so after four minutes`);
    await setTimeout(20);
  }
}
