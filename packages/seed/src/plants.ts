import { once } from 'node:events';
import { money } from '@keyfare/core/money';
import { fundEth, mintUsdc, transferUsdc, usdcAddress } from '@keyfare/devstack/usdc';
import { PlanService } from '@keyfare/gate/services';
import type { Hex } from 'viem';
import { conjure, signPayment, submitAsStranger } from './chain.js';
import { type ForgedPayment, openForger } from './forge.js';
import { elsewhere, holds } from './gate.js';
import type { ExpectedBreak } from './manifest.js';
import {
  accountOf,
  ask,
  buy,
  changePlan,
  count,
  guest,
  moveTo,
  nonceOf,
  openGuest,
  priceOf,
  type Stage,
  select,
} from './player.js';

/** Classes that only billing's own books, or a program that stands still, can have. */
export const notPlanted: Readonly<Record<string, string>> = {
  'entry-unposted': "a fault of billing's intake: nothing that the log says brings it about",
  'posting-without-entry': "falsified in billing's books, which a history does not have yet",
  'ledger-mismatch': "falsified in billing's books, which a history does not have yet",
  'invoice-stale': 'comes of a nightly job of billing that did not run for a day',
  'invoice-mismatch': "falsified in billing's books, which a history does not have yet",
  'intake-stalled': 'a log that nobody gives places to for as long as billing waits',
  'chain-stalled': 'a node that is down for as long as billing waits',
  'chain-rewritten': 'a node that shows other blocks than billing has read before',
  'unknown-outbound': 'a wallet of the treasury that an operator has named',
};

type Planted = Omit<ExpectedBreak, 'kind' | 'asset' | 'amount'> & { readonly asset?: string; readonly amount?: bigint };

function plant({ breaks }: Stage, { amount, asset, ...planted }: Planted): void {
  breaks.push({ ...planted, asset: asset ?? null, amount: amount?.toString() ?? null, kind: 'planted' });
}

/** What takes a gate and a chain: false entries with good signatures, lost rows, and money that no call explains. */
export async function plantBreaks(stage: Stage, end: Date): Promise<void> {
  const at = new Date(end.getTime() - 55_000);
  await moveTo(stage, at);
  await stage.chain.moveTo(at);
  const forger = openForger(stage);
  try {
    await plantOnChain(stage, at);
    await plantPayments(stage, at);
    await plantForged(stage, { at, forger });
    await plantOverLimit(stage, at);
  } finally {
    await forger.close();
  }
  await stage.chain.mine(3);
}

async function richGuest(stage: Stage, name: string) {
  const wallet = guest(stage, name);
  await mintUsdc(stage.chain.rpcUrl, wallet.address, 1_000_000n);
  await fundEth(stage.chain.rpcUrl, wallet.address);
  return wallet;
}

async function plantOnChain(stage: Stage, at: Date): Promise<void> {
  const { chain, ground } = stage;
  const till = ground.secrets.payTo;
  const stranger = await richGuest(stage, 'stranger');
  const transaction = await transferUsdc(chain.rpcUrl, { privateKey: stranger.privateKey, to: till, value: 123_456n });
  plant(stage, {
    class: 'unknown-inbound',
    keys: { from: stranger.address.toLowerCase(), transaction },
    asset: 'USDC',
    amount: 123_456n,
    how: 'somebody sent USDC to the till by a plain transfer',
  });
  const nonce = nonceOf(stage, 'unrecorded');
  await submitAsStranger(chain, { ...payment(stage, at), payer: stranger, nonce, amount: 3_300n });
  plant(stage, {
    class: 'settled-not-recorded',
    keys: { payer: stranger.address.toLowerCase(), nonce },
    asset: 'USDC',
    amount: 3_300n,
    how: 'an authorization to the till was sent to the chain past the gate',
  });
  await conjure(chain, 'USDC', till, 777n);
  plant(stage, {
    class: 'balance-mismatch',
    keys: { wallet: till.toLowerCase(), asset: usdcAddress.toLowerCase() },
    asset: 'USDC',
    amount: 777n,
    how: 'the balance of the till was raised in the token without a transfer',
  });
}

function payment({ ground }: Stage, at: Date) {
  return { to: ground.secrets.payTo, asset: 'USDC' as const, validBefore: new Date(at.getTime() + 110_000) };
}

/** Served by the gate as anything else is, and then not as the books need it. */
async function plantPayments(stage: Stage, at: Date): Promise<void> {
  const { tally } = stage;
  const payer = await richGuest(stage, 'customer');
  const toPartner = nonceOf(stage, 'partner');
  const signed = await signPayment({ ...payment(stage, at), payer, to: elsewhere, amount: 4_000n, nonce: toPartner });
  count(tally, 'authorization', await ask(stage, { at, path: '/partner', headers: signed.headers }));
  plant(stage, {
    class: 'recorded-not-settled',
    keys: { payer: payer.address.toLowerCase(), nonce: toPartner },
    asset: 'USDC',
    amount: 4_000n,
    how: 'a route sold calls to a wallet that billing is not told of',
  });
  const lost = nonceOf(stage, 'lost');
  count(tally, 'deferred', await buy(stage, { payer, flow: 'deferred', asset: 'USDC', at, nonce: lost }));
  await select(stage, 'delete from keyfare.payment where nonce = $1', [lost]);
  plant(stage, {
    class: 'deferred-overdue',
    keys: { payer: payer.address.toLowerCase(), nonce: lost },
    asset: 'USDC',
    amount: priceOf('deferred', 'USDC'),
    how: 'the row of a call on credit was deleted in keyfare.payment, so nobody collects it',
  });
}

async function plantForged(
  stage: Stage,
  { at, forger }: { at: Date; forger: ReturnType<typeof openForger> },
): Promise<void> {
  const { chain, random, tally } = stage;
  const payer = await richGuest(stage, 'forged');
  const about = { payer: payer.address, asset: 'USDC' as const };
  const keys = (nonce: Hex) => ({ payer: payer.address.toLowerCase(), nonce });
  const never: ForgedPayment = {
    ...about,
    nonce: nonceOf(stage, 'never'),
    amount: 4_200n,
    transaction: nonceOf(stage, 'no transaction'),
  };
  await forger.paidCall(never, at);
  plant(stage, {
    class: 'recorded-not-settled',
    keys: keys(never.nonce),
    asset: 'USDC',
    amount: 4_200n,
    how: 'a signed entry tells of a payment that the chain does not have',
  });
  const less = nonceOf(stage, 'less');
  const transaction = await submitAsStranger(chain, { ...payment(stage, at), payer, nonce: less, amount: 900n });
  await forger.paidCall({ ...about, nonce: less, amount: 1_000n, transaction }, at);
  plant(stage, {
    class: 'amount-mismatch',
    keys: keys(less),
    asset: 'USDC',
    amount: 100n,
    how: 'a signed entry tells of more than the chain moved',
  });
  const twice = nonceOf(stage, 'twice');
  count(tally, 'authorization', await buy(stage, { payer, flow: 'authorization', asset: 'USDC', at, nonce: twice }));
  const again = await forger.paidCall(
    { ...about, nonce: twice, amount: 1_000n, transaction: nonceOf(stage, 'no transaction') },
    new Date(at.getTime() + 1_000),
  );
  plant(stage, {
    class: 'duplicate-settlement',
    keys: { ...keys(twice), entry: again },
    asset: 'USDC',
    amount: 1_000n,
    how: 'a second signed entry tells of a payment that another one has recorded',
  });
  const nobody = `acct_${random.bytes('nobody', 12).toString('base64url')}`;
  plant(stage, {
    class: 'terms-missing',
    keys: { entry: await forger.keyCall(nobody, at), principal: nobody },
    how: 'a signed entry tells of a call of an account that was never opened',
  });
  const ended = stage.schedule.accounts.findIndex(({ closesAt }) => closesAt !== null);
  const { id } = accountOf(stage, ended);
  plant(stage, {
    class: 'account-ended',
    keys: { entry: await forger.keyCall(id, at), principal: id },
    how: 'a signed entry tells of a call of an account that had been closed',
  });
  plant(stage, {
    class: 'call-mismatch',
    keys: { entry: await forger.settlement({ ...never, nonce: nonceOf(stage, 'no call') }, at) },
    how: 'a signed entry settles a call that is not in the log',
  });
}

/** A call is under way when its account goes to a plan that has no unit left for it. */
async function plantOverLimit(stage: Stage, at: Date): Promise<void> {
  const { gate, tally } = stage;
  const plans = gate.app.get(PlanService);
  const small = { includedUnits: 2n, monthlyPrice: money('USD', 0n) };
  await plans.create({ ...small, slug: 'open', overage: 'invoice', overagePrice: money('USD', 500n) });
  await plans.create({ ...small, slug: 'shut', overage: 'reject', overagePrice: null });
  const { id, secret } = await openGuest(stage, { name: 'Customer over its limit', plan: 'open', at });
  const headers = { authorization: `Bearer ${secret}` };
  const later = (seconds: number): Date => new Date(at.getTime() + seconds * 1_000);
  for (const second of [10, 20])
    count(tally, 'key', await ask(stage, { at: later(second), path: '/forecast', headers }));
  const release = new AbortController();
  const entered = new Promise<void>((enter) => {
    holds.set('over', { entered: enter, released: once(release.signal, 'abort') });
  });
  const answered = ask(stage, { at: later(31), path: '/forecast?hold=over', headers });
  await entered;
  await changePlan(stage, id, { plan: 'shut', at: later(30) });
  release.abort();
  count(tally, 'key', await answered);
  plant(stage, {
    class: 'units-over-limit',
    keys: { account: id, day: at.toISOString().slice(0, 10) },
    how: 'a call was under way when its account went to a plan without a unit left for it',
  });
}

/** What takes the rights of a superuser, and no gate that runs: rows of the log and of the API that are changed. */
export async function plantAfterwards(stage: Stage): Promise<void> {
  const calls = await select<{ id: string; account: string }>(
    stage,
    `select id, principal as account from keyfare.entry where rail = 'key' and units = 1 and payload is not null
      and key_id <> 'forged' and principal = any($1::text[]) order by occurred_at desc, id limit 4`,
    [[accountOf(stage, 0).id, accountOf(stage, 1).id]],
  );
  const spoiled = [
    [
      'receipt-invalid',
      'signature = set_byte(signature, 0, get_byte(signature, 0) # 1)',
      'a bit of the signature was changed, and the digest with it',
    ],
    ['receipt-missing', 'payload = null, signature = null', 'the document was erased'],
    ['digest-mismatch', `digest = sha256('another')`, 'the digest is that of another document'],
    ['usage-mismatch', `sku = 'distances'`, 'the row says another sku than the signed document'],
  ] as const;
  for (const [index, [name, change, how]] of spoiled.entries()) {
    const { id, account } = calls[index] ?? {};
    if (id === undefined || account === undefined) throw new Error('the history is too short to plant breaks in it');
    await tamper(stage, `update keyfare.entry set ${change} where id = '${id}'`);
    if (name === 'receipt-invalid') {
      const document = 'keyfare.jws(kind, kid, payload, signature)';
      await tamper(
        stage,
        `update keyfare.entry set digest = sha256(convert_to(${document}, 'UTF8')) where id = '${id}'`,
      );
    }
    plant(stage, { class: name, keys: { entry: id, principal: account }, how });
  }
  const [first, second] = [accountOf(stage, 0).id, accountOf(stage, 1).id];
  await select(
    stage,
    `update keyfare.account set plan_id = (select id from keyfare.plan p where p.id <> account.plan_id order by slug limit 1)
      where id = $1`,
    [first],
  );
  plant(stage, {
    class: 'terms-mismatch',
    keys: { account: first },
    how: "the account's plan was changed in the table",
  });
  const [month] = await select<{ month: string }>(
    stage,
    `update keyfare.allowance a set used = used + 7 where account_id = $1
        and period_start = (select max(period_start) from keyfare.allowance where account_id = $1)
      returning to_char(period_start at time zone 'utc', 'YYYY-MM') as month`,
    [second],
  );
  plant(stage, {
    class: 'meter-mismatch',
    keys: { account: second, month: month?.month ?? '' },
    how: "the account's counter was raised by 7",
  });
}

/** Past the triggers that keep the log as it is. */
async function tamper(stage: Stage, statement: string): Promise<void> {
  await select(stage, `set session_replication_role = replica; ${statement}`);
}
