import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { money } from '@keyfare/core/money';
import { fundEth, mintUsdc, transferUsdc } from '@keyfare/devstack/usdc';
import { PlanService } from '@keyfare/gate/services';
import type { Hex } from 'viem';
import { signPayment } from './chain.js';
import type { CrashOrders } from './crash-process.js';
import { replicaTtlMs } from './gate.js';
import type { ExpectedBreak } from './manifest.js';
import {
  accountOf,
  ask,
  buy,
  count,
  guest,
  moveTo,
  nonceOf,
  openGuest,
  priceOf,
  refundDue,
  type Stage,
  select,
  until,
} from './player.js';
import { walletOf } from './secrets.js';

const program = fileURLToPath(new URL('./crash-process.js', import.meta.url));
const answeredCalls = 12;

const beyondPrice = 700n;

/** An account whose plan sells units beyond it to wallets: when its units are gone, calls show a payment too. */
export async function goBeyond(stage: Stage, at: Date): Promise<void> {
  const { gate, chain, ground, random, tally } = stage;
  await chain.moveTo(at);
  await gate.app.get(PlanService).create({
    slug: 'hybrid',
    includedUnits: 3n,
    overage: 'x402',
    overagePrice: money('USD', beyondPrice),
    monthlyPrice: money('USD', 5_000_000n),
  });
  const { secret } = await openGuest(stage, { name: 'Customer beyond its plan', plan: 'hybrid', at });
  const key = { authorization: `Bearer ${secret}` };
  const path = '/forecast';
  for (let nth = 0; nth < 7; nth += 1) {
    const called = new Date(at.getTime() + (nth + 10) * 1_000);
    const { headers } = await signPayment({
      payer: walletOf(random, 'payer 0'),
      to: ground.secrets.payTo,
      amount: beyondPrice,
      asset: 'USDC',
      nonce: nonceOf(stage, `beyond ${String(nth)}`),
      validBefore: new Date(called.getTime() + 110_000),
    });
    const isBeyond = nth >= 3;
    const answer = await ask(stage, { at: called, path, headers: isBeyond ? { ...key, ...headers } : key });
    count(tally, isBeyond ? 'authorization' : 'key', answer);
  }
  await chain.mine(2);
}

/**
 * A second process of the API is killed: with leases of two accounts, calls by key under way, a claimed payment, and a
 * payment that has moved for a call that is not served yet. Its peer sweeps what it held.
 */
export async function crash(stage: Stage, at: Date): Promise<void> {
  const { ground, chain, random, tally } = stage;
  await chain.moveTo(at);
  const keys = openSecrets(stage);
  const payer = walletOf(random, 'payer 0');
  const pay = async (name: string, amount: bigint) =>
    signPayment({
      payer,
      to: ground.secrets.payTo,
      amount,
      asset: 'USDC',
      nonce: nonceOf(stage, name),
      validBefore: new Date(at.getTime() + 110_000),
    });
  const claimed = await pay('crash claimed', priceOf('authorization', 'USDC'));
  const moved = await pay('crash moved', priceOf('upfront', 'USDC'));
  const headersOf = (nth: number) => ({ authorization: `Bearer ${keys[nth % keys.length] ?? ''}` });
  const orders: CrashOrders = {
    ground,
    at: at.toISOString(),
    answered: Array.from({ length: answeredCalls }, (_, nth) => ({ path: '/forecast', headers: headersOf(nth) })),
    underWay: [
      { path: '/forecast', headers: headersOf(0) },
      { path: '/forecast', headers: claimed.headers },
      { path: '/archive', headers: moved.headers },
    ],
  };
  const child = spawn(process.execPath, [program, JSON.stringify(orders)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal !== 'SIGKILL') throw new Error(`the process that is to be killed ended by itself: ${words}`);
  tally.served['key'] = (tally.served['key'] ?? 0) + answeredCalls;
  // Its life sign runs out by the database's clock, which stands still otherwise.
  await moveTo(stage, new Date(at.getTime() + 10 * replicaTtlMs));
  await until('the killed process is swept', async () => {
    const [left] = await select<{ any: boolean }>(
      stage,
      `select exists (select 1 from keyfare.lease l where not exists (select 1 from keyfare.replica r where r.id = l.replica_id))
        or (select count(*) from keyfare.replica) > 1
        or exists (select 1 from keyfare.payment where nonce = $1 and state = 'claimed') as any`,
      [claimed.nonce],
    );
    return left?.any === false && (await isTold(stage, 'refund-due', moved.nonce));
  });
  await chain.mine(2);
  const how = 'the process was killed between the settlement of a payment and the answer to its call';
  stage.breaks.push(
    refundDue({ payer: payer.address, nonce: moved.nonce, asset: 'USDC', amount: priceOf('upfront', 'USDC'), how }),
  );
}

/** The keys of two accounts whose plans refuse nothing. */
function openSecrets(stage: Stage): readonly string[] {
  const { accounts, schedule, time } = stage;
  const open = [...accounts.keys()].filter((index) => {
    const planned = schedule.accounts[index];
    return (
      planned !== undefined && planned.plan !== 'fixed' && (planned.closesAt === null || planned.closesAt > time.now)
    );
  });
  return open.slice(0, 2).map((index) => accountOf(stage, index).secret);
}

/** The chain goes back to before a settlement and on without it: it is sent again, and moves once. */
export async function reorganize(stage: Stage, at: Date): Promise<void> {
  const { chain, tally } = stage;
  await chain.moveTo(at);
  const snapshot = await chain.call('evm_snapshot');
  const nonce = nonceOf(stage, 'reorganized');
  const payer = walletOf(stage.random, 'payer 1');
  count(tally, 'authorization', await buy(stage, { payer, flow: 'authorization', asset: 'USDC', at, nonce }));
  await chain.call('evm_revert', snapshot);
  const later = new Date(at.getTime() + 20_000);
  await moveTo(stage, later);
  await chain.moveTo(later);
  await chain.mine(2);
  await until('the dropped settlement is sent again', async () => {
    if ((await stateOf(stage, nonce)) === 'final') return true;
    await chain.mine(1);
    return false;
  });
}

/** A settlement is dropped, and its authorization has run out before it can be sent again: its revenue is undone. */
export async function drop(stage: Stage, at: Date): Promise<void> {
  const { chain, tally } = stage;
  await chain.moveTo(at);
  const snapshot = await chain.call('evm_snapshot');
  const nonce = nonceOf(stage, 'dropped');
  const payer = walletOf(stage.random, 'payer 1');
  count(tally, 'authorization', await buy(stage, { payer, flow: 'authorization', asset: 'EURC', at, nonce }));
  await chain.call('evm_revert', snapshot);
  const later = new Date(at.getTime() + 180_000);
  await moveTo(stage, later);
  await chain.moveTo(later);
  await chain.mine(2);
  await until('the dropped settlement is reversed', async () => {
    if (await isTold(stage, 'reversed', nonce)) return true;
    await chain.mine(1);
    return false;
  });
  const how = 'the chain dropped the settlement of a served call, and its authorization had run out';
  stage.breaks.push(
    uncollectable({ payer: payer.address, nonce, asset: 'EURC', amount: priceOf('authorization', 'EURC'), how }),
  );
}

/** A wallet is served on credit and moves its money away before it is collected. */
export async function neverCollect(stage: Stage, at: Date): Promise<void> {
  const { chain, tally } = stage;
  const { rpcUrl } = chain;
  await chain.moveTo(at);
  const payer = guest(stage, 'poor');
  const amount = priceOf('deferred', 'USDC');
  await mintUsdc(rpcUrl, payer.address, amount);
  await fundEth(rpcUrl, payer.address);
  const nonce = nonceOf(stage, 'poor');
  count(tally, 'deferred', await buy(stage, { payer, flow: 'deferred', asset: 'USDC', at, nonce }));
  await transferUsdc(rpcUrl, { privateKey: payer.privateKey, to: guest(stage, 'friend').address, value: amount });
  const later = new Date(at.getTime() + 4_000_000);
  await moveTo(stage, later);
  await chain.moveTo(later);
  await until('the call on credit is given up', async () => isTold(stage, 'unpaid', nonce));
  const how = 'the payer of a call on credit moved its money away before the payment was collected';
  stage.breaks.push(uncollectable({ payer: payer.address, nonce, asset: 'USDC', amount, how }));
}

function uncollectable(lost: { payer: string; nonce: Hex; asset: string; amount: bigint; how: string }): ExpectedBreak {
  const { payer, nonce, asset, amount, how } = lost;
  return {
    class: 'uncollectable',
    keys: { payer: payer.toLowerCase(), nonce },
    asset,
    amount: amount.toString(),
    kind: 'business',
    how,
  };
}

async function stateOf(stage: Stage, nonce: Hex): Promise<string | undefined> {
  const [row] = await select<{ state: string }>(stage, 'select state from keyfare.payment where nonce = $1', [nonce]);
  return row?.state;
}

/** Whether the log has an entry of that kind about a payment. */
async function isTold(stage: Stage, kind: string, nonce: Hex): Promise<boolean> {
  const rows = await select(
    stage,
    `select 1 from keyfare.entry where kind = $1 and position($2 in convert_from(payload, 'UTF8')) > 0 limit 1`,
    [kind, nonce],
  );
  return rows.length > 0;
}
