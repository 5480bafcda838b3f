import { expect } from '@keyfare/jest-preset/globals';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { agreePeriods } from './own-periods.js';
import { type Proof, proveBooks } from './prove-books.js';
import {
  copyMasterData,
  type Deed,
  doBusiness,
  monthsOf,
  type Office,
  openOffice,
  type Played,
  readByCrashingProcesses,
  readReports,
  redo,
  reorganizeUnderway,
} from './whole-books.js';
import { openBooks, type World } from './world.js';

/** By the log, the chain and the reports over HTTP, without billing's code. */
export async function proveIndependently({ world, service, token }: Office): Promise<Proof> {
  return proveBooks(world, { BILLING_URL: service.url, OPERATOR_TOKEN: token });
}

/** Books of a history that were written under crashes, with the invoices of its months and what became of them. */
export interface Books {
  readonly office: Office;
  readonly deeds: readonly Deed[];
  readonly crashes: number;
}

export async function makeBooks(played: Played, crashes: number): Promise<Books> {
  const world = await played.world();
  await agreePeriods(world, played.manifest);
  const met = await readByCrashingProcesses(world, played, crashes);
  const reader = openBooks(world);
  await reorganizeUnderway(played, reader);
  await reader.readAll();
  await reader.close();
  const office = await openOffice(world);
  const deeds = await doBusiness(office, played);
  await office.service.app.get(ReconcileJob).run('manual', 'full');
  return { office, deeds, crashes: met };
}

/** The same books from nothing: one process reads, and an operator does the same. */
export async function makeAgain(played: Played, { office: first, deeds }: Books): Promise<Office> {
  const world = await played.world();
  world.clock.set(played.clock().toISOString());
  await agreePeriods(world, played.manifest);
  const reader = openBooks(world);
  await reader.readAll();
  await reader.chainJob.catchUp(60_000);
  await reader.close();
  await copyMasterData(first.world, world);
  const office = await openOffice(world, first.token);
  for (const deed of deeds) await redo(office, deed);
  await office.service.app.get(ReconcileJob).run('manual', 'full');
  return office;
}

/** Every asset's debits are its credits: of the movements, and of the balances that are kept of them. */
export async function expectBalanced(world: World): Promise<void> {
  const unbalanced = await world.rows(`
    select asset from (
      select a.asset, l.amount from billing.ledger_line l join billing.ledger_account a on a.code = l.account
      union all select asset, debits - credits from billing.balance) as sides
    group by asset having sum(amount) <> 0`);
  expect(unbalanced).toEqual([]);
  const wrong = await world.rows(`
    select account from billing.balance b full join (
      select account, sum(amount) as amount from billing.ledger_line group by 1) as l using (account)
    where coalesce(b.debits - b.credits, 0) <> coalesce(l.amount, 0)`);
  expect(wrong).toEqual([]);
}

/** Each unit that came to a till is matched with an entry or an invoice, or in a break: once. */
export async function expectExplainedOnce(world: World): Promise<void> {
  const unexplained = await world.rows(`
    with came as (
      select t.*, coalesce((
          select sum(m.amount) from billing.match m where m.transfer_id = t.id and m.state <> 'undone'), 0) as matched
      from billing.chain_transfer t
      where t.orphaned_at is null and t.to_address = t.pay_to and t.from_address <> t.to_address and t.value > 0)
    select c.transaction, c.value::text, c.matched::text, coalesce(sum(b.amount), 0)::text as broken
    from came c left join billing.break b on b.present
      and (b.class = 'unknown-inbound' and b.keys ->> 'transaction' = c.transaction and b.keys ->> 'from' = c.from_address
        or b.class = 'settled-not-recorded' and (b.keys ->> 'payer', b.keys ->> 'nonce') = (c.authorizer, c.nonce))
    group by c.id, c.transaction, c.value, c.matched
    having c.matched + coalesce(sum(b.amount), 0) <> c.value`);
  expect(unexplained).toEqual([]);
}

/**
 * Of each month what was earned is what the accounts of revenue by key gained in it. Over all months what was invoiced
 * is what invoices and credit notes come to without tax, and each account opens with what it closed with.
 */
export async function expectTimingExplained({ world, service, token }: Office, { manifest }: Played): Promise<void> {
  const sums = { earned: 0n, invoiced: 0n };
  const open = new Map<string, string>();
  for (const month of monthsOf({ ...manifest, until: world.clock().toISOString() })) {
    const { body, status } = await service.call(`/reports/revenue-timing?month=${month}&limit=200`, { token });
    expect(status).toBe(200);
    const { items, next } = body as { items: readonly Timing[]; next: string | null };
    expect(next).toBeNull();
    let earnedInMonth = 0n;
    for (const { ledgerAccount: code, opening, closing, earned, invoiced, difference } of items) {
      expect([code, opening]).toEqual([code, open.get(code) ?? '0.000000']);
      open.set(code, closing);
      expect(micros(earned) - micros(invoiced)).toBe(micros(difference));
      expect(micros(closing) - micros(opening)).toBe(micros(difference));
      if (!/^(?:adjustments|rounding)$/.test(code)) earnedInMonth += micros(earned);
      sums.invoiced += micros(invoiced);
    }
    const [gained] = await world.rows<{ amount: string }>(
      `select coalesce(sum(credits - debits), 0)::text as amount from billing.balance_day b
        join billing.ledger_account a on a.code = b.account
        where a.asset = 'USD' and a.code like 'revenue:%' and to_char(day, 'YYYY-MM') = $1`,
      [month],
    );
    expect([month, String(earnedInMonth)]).toEqual([month, gained?.amount]);
    sums.earned += earnedInMonth;
  }
  expect(sums.invoiced).toBeGreaterThan(0n);
  const [books] = await world.rows<{ earned: string; invoiced: string }>(`
    select (select coalesce(sum(credits - debits), 0)::text from billing.balance b
        join billing.ledger_account a on a.code = b.account
        where a.asset = 'USD' and a.code like 'revenue:%') as earned,
      ((select coalesce(sum(payable_cents - tax_cents), 0) from billing.invoice where state not in ('draft', 'void'))
        - (select coalesce(sum(n.subtotal_cents), 0) from billing.credit_note n
          join billing.invoice i on i.id = n.invoice_id and i.state <> 'void')) * 10000 || '' as invoiced`);
  expect({ earned: String(sums.earned), invoiced: String(sums.invoiced) }).toEqual(books);
}

type Timing = Readonly<Record<'ledgerAccount' | 'opening' | 'earned' | 'invoiced' | 'closing' | 'difference', string>>;

function micros(dollars: string): bigint {
  return BigInt(dollars.replace('.', ''));
}

interface Found {
  readonly class: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly asset: string | null;
  readonly amount: string | null;
}

/** Each break that was planted or is due is found, with its class and its amount, and no other. */
export async function expectPlantedBreaks(world: World, { manifest }: Played): Promise<void> {
  const left = [
    ...(await world.rows<Found>(
      `select class, keys, asset, amount::text as amount from billing.break where status = 'open' order by class`,
    )),
  ];
  const missing = manifest.breaks.filter((expected) => {
    const at = left.findIndex(
      (open) =>
        open.class === expected.class &&
        open.asset === expected.asset &&
        open.amount === expected.amount &&
        Object.entries(expected.keys).every(([name, value]) => open.keys[name] === value),
    );
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  expect({ missing, invented: left }).toEqual({ missing: [], invented: [] });
}

/** Everything that is promised of the books of a history, whatever was done to their writers. */
export async function expectWhole(played: Played, books: Books): Promise<void> {
  const { office } = books;
  await expectBalanced(office.world);
  await expectExplainedOnce(office.world);
  await expectPlantedBreaks(office.world, played);
  await expectTimingExplained(office, played);
  expect((await proveIndependently(office)).differences).toEqual([]);
  const reports = await readReports(office, played.manifest);
  await office.service.app.get(ReconcileJob).run('manual', 'full');
  expect(await readReports(office, played.manifest)).toEqual(reports);
  const again = await makeAgain(played, books);
  try {
    expect(await readReports(again, played.manifest)).toEqual(reports);
  } finally {
    await again.service.close();
  }
}
