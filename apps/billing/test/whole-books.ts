import { randomUUID } from 'node:crypto';
import { DatabaseUnavailable } from '@keyfare/db/sql';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { testPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { fundEth, mintUsdc, transferUsdc } from '@keyfare/devstack/usdc';
import { type FixedClock, fixedClock } from '@keyfare/fixtures/clock';
import { migrateGate } from '@keyfare/gate/database';
import { chainBegin, type HistoryOptions, type Manifest, makeHistory, randomOf } from '@keyfare/seed/history';
import { migrateBilling } from '../src/database.js';
import { ChainJob } from '../src/pipeline/chain.job.js';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { type KeyServer, serveKeys } from './key-server.js';
import { contractsOf } from './own-periods.js';
import { type Service, startService } from './service.js';
import { type Books, type BooksOptions, openBooks, openWorldOn, type World } from './world.js';

type Random = ReturnType<typeof randomOf>;

/** A history that the gate has made, which any number of books can read. */
export interface Played {
  readonly options: HistoryOptions;
  readonly manifest: Manifest;
  readonly random: Random;
  readonly node: LocalChain;
  /** The one that its operators are in. */
  readonly log: TestDatabase;
  readonly keys: KeyServer;
  readonly clock: FixedClock;
  /** The last place of the log. */
  readonly head: bigint;
  /** A world with empty books: in the database of the log at first, and then in one of its own. */
  world(): Promise<World>;
  close(): Promise<void>;
}

async function migrate(url: string): Promise<void> {
  await migrateGate(url);
  await migrateBilling(url);
}

export async function playHistory(options: HistoryOptions): Promise<Played> {
  const template = { name: 'billing', migrate };
  const [log, node] = await Promise.all([
    createTestDatabase({ template }),
    startTestChain({ genesisTime: chainBegin(options, new Date()) }),
  ]);
  const manifest = await makeHistory({ databaseUrl: log.url, rpcUrl: node.rpcUrl }, options);
  const keys = await serveKeys(manifest.jwks.keys);
  const head = await headOf(log);
  const worlds: World[] = [];
  // Of the entries none is younger, and what was planted at their end is overdue. On the first of a month that is to
  // come.
  const nowMs = Math.max(Date.now() + 1_000, Date.parse(manifest.until) + 48 * 3_600_000);
  const clock = fixedClock(new Date(nowMs).toISOString());
  return {
    options,
    manifest,
    random: randomOf(`${options.seed}/books`),
    node,
    log,
    keys,
    clock,
    head,
    world: async () => {
      const database = worlds.length === 0 ? log : await createTestDatabase({ template });
      const feed = worlds.length === 0 ? {} : { FEED_DATABASE_URL: log.url };
      const env = {
        API_JWKS_URL: keys.url,
        RPC_URL: node.rpcUrl,
        PAY_TO: manifest.payTo,
        INVOICE_APPROVAL_ABOVE: '1000000',
        ...feed,
      };
      const world = await openWorldOn(database, { env, clock: fixedClock(clock().toISOString()) });
      worlds.push(world);
      return world;
    },
    close: async () => {
      await keys.close();
      await node.kill();
      // The first has the log.
      for (const world of worlds.toReversed()) await world.close();
    },
  };
}

async function headOf({ url }: TestDatabase): Promise<bigint> {
  const [row] = await adminQuery<{ place: string }>(url, 'select place from keyfare.log_head');
  return BigInt(row?.place ?? 0);
}

/** Few entries at a time, so that a history has many transactions. */
const smallBatches: NonNullable<BooksOptions['feed']> = (feed) => async (after, limit) =>
  feed(after, Math.min(limit, 29));

/**
 * Reads log and chain to their ends by two processes at once, of which one loses its connections around a statement, at
 * random, `crashes` times, and another begins in its place. Answers how often one was met in its work.
 */
export async function readByCrashingProcesses(
  world: World,
  { head, random }: Pick<Played, 'head' | 'random'>,
  crashes: number,
): Promise<number> {
  let left = crashes;
  let met = 0;
  const life = async (name: string): Promise<void> => {
    for (;;) {
      const books = openBooks(world, { feed: smallBatches, applicationName: name });
      let statements = random.whole(1, 40);
      let killing: Promise<void> | undefined;
      const kill = async (): Promise<void> => {
        await world.rows('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [name]);
        killing = undefined;
      };
      books.sql.observe({
        began: () => {
          statements -= 1;
          // Again and again, until one of its transactions has met it.
          if (statements <= 0 && left > 0) killing ??= kill();
          return () => undefined;
        },
        connected: () => undefined,
      });
      try {
        await readToTheEnd(world, books, head);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable)) throw error;
        left -= 1;
        met += 1;
      } finally {
        await killing;
        await books.close();
      }
    }
  };
  await Promise.all([life('books-one'), life('books-two')]);
  return met;
}

async function readToTheEnd(world: World, { intakeJob, chainJob }: Books, head: bigint): Promise<void> {
  for (;;) {
    await intakeJob.step();
    const chain = await chainJob.step();
    const [cursor] = await world.rows<{ place: string }>('select place from billing.feed_cursor');
    if (BigInt(cursor?.place ?? 0) >= head && chain === 'idle') return;
  }
}

/** Transfers that the books have seen, and that the chain then has never had. */
export async function reorganizeUnderway({ node, manifest, random }: Played, { chainJob }: Books): Promise<void> {
  const stranger = testPayer(77);
  await fundEth(node.rpcUrl, stranger.address);
  await mintUsdc(node.rpcUrl, stranger.address, 1_000_000n);
  for (let round = 0; round < 2; round += 1) {
    const to = manifest.payTo as `0x${string}`;
    await transferUsdc(node.rpcUrl, { privateKey: stranger.privateKey, to, value: BigInt(random.whole(1, 999)) });
    await chainJob.catchUp(20_000);
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await chainJob.catchUp(20_000);
  }
  await node.mine(100);
  await chainJob.catchUp(20_000);
}

/** What an operator does, in an order that other books can be given too. */
export type Deed =
  | { readonly at: string }
  /** Millionths of a USDC that come to the till, once: other books read them from the same chain. */
  | { readonly comes: string }
  | { readonly job: 'drafts' }
  | { readonly path: string; readonly body: object };

/** Master data has ids by chance: other books are given the same rows. */
const masterData = ['seller', 'customer', 'contract', 'tax_rate', 'bank_account'];

export async function copyMasterData(from: World, to: World): Promise<void> {
  for (const table of masterData) {
    const rows = await from.rows<{ row: object }>(`select to_jsonb(t) as row from billing.${table} t`);
    for (const { row } of rows) {
      await to.rows(`insert into billing.${table} select * from jsonb_populate_record(null::billing.${table}, $1)`, [
        JSON.stringify(row),
      ]);
    }
  }
}

/** Books with a service on them, and the operator's token, which is in the log's database. */
export interface Office {
  readonly world: World;
  readonly service: Service;
  readonly token: string;
}

export async function openOffice(world: World, token?: string): Promise<Office> {
  // What is read is read by the test.
  const service = await startService(world, { INTAKE_INTERVAL_MS: '60000', CHAIN_INTERVAL_MS: '60000' });
  return { world, service, token: token ?? service.token };
}

export async function redo({ world, service, token }: Office, deed: Deed): Promise<Record<string, unknown>> {
  if ('at' in deed) world.clock.set(deed.at);
  else if ('comes' in deed) return {};
  else if ('job' in deed) await service.app.get(DraftsJob).run();
  else {
    const { status, text, body } = await service.call(deed.path, { body: deed.body, token });
    if (status >= 300) throw new Error(`${deed.path}: ${text}`);
    return body ?? {};
  }
  return {};
}

/** A customer's wallet pays USDC, and the books read it to its final block. */
async function payUsdc({ service }: Office, { node, manifest }: Played, value: bigint): Promise<void> {
  await fundEth(node.rpcUrl, wallet.address);
  await mintUsdc(node.rpcUrl, wallet.address, value);
  await transferUsdc(node.rpcUrl, { privateKey: wallet.privateKey, to: manifest.payTo as `0x${string}`, value });
  await node.mine(100);
  await service.app.get(ChainJob).catchUp(20_000);
}

/** The customer's who pays in USDC. */
const wallet = testPayer(78);

interface Item {
  readonly id: string;
  readonly account: string;
  readonly number: string | null;
  readonly payable: string;
}

/** Invoices of each month, and what becomes of them, as chance has it. Answers everything that was done. */
export async function doBusiness(office: Office, played: Played): Promise<readonly Deed[]> {
  const { manifest, random } = played;
  const deeds: Deed[] = [];
  const act = async (deed: Deed): Promise<Record<string, unknown>> => {
    deeds.push(deed);
    if ('comes' in deed) await payUsdc(office, played, BigInt(deed.comes));
    return redo(office, deed);
  };
  const { bank, payer } = await agree(office, manifest);
  await act({ path: `/customers/${payer.customer}/wallets`, body: { address: wallet.address } });
  const hours = (count: number): Deed => ({
    at: new Date(office.world.clock().getTime() + count * 3_600_000).toISOString(),
  });
  // Books from nothing read the whole chain at first: two transfers alike would be left to a person there.
  const came = new Set<string>();
  for (const month of monthsOf(manifest)) {
    await act({ job: 'drafts' });
    const body = { month, preview: false, limit: 500 };
    const { items } = (await act({ path: '/invoices/finalize', body })) as { items: readonly Item[] };
    const made = items.filter(({ number }) => number !== null);
    await act(hours(1));
    for (const item of made) {
      const sum = micros(item.payable);
      if (item.account === payer.account && BigInt(sum) > 0n && !came.has(sum)) {
        came.add(sum);
        await act({ comes: sum });
        await act({ path: '/customers/wallets/match', body: {} });
      } else await live(act, random, { item, bank });
    }
  }
  await act(hours(1));
  await act({ job: 'drafts' });
  return deeds;
}

function micros(dollars: string): string {
  const [whole = '0', rest = ''] = dollars.split('.');
  return String(BigInt(whole + rest.padEnd(6, '0')));
}

/** What becomes of an invoice. */
async function live(
  act: (deed: Deed) => Promise<Record<string, unknown>>,
  random: Random,
  { item: { id, number, payable }, bank }: { item: Item; bank: string },
): Promise<void> {
  // Of nothing there is nothing to pay, to give back or to give up.
  if (Number(payable) === 0) return;
  const [all, part] = [payable, (Math.floor(Number(payable) * 50) / 100).toFixed(2)];
  const pay = async (amount: string): Promise<unknown> => {
    const text = ['day,sum,payer,text', `2026-01-05,${amount},Customer,${number ?? ''}`, ''].join('\n');
    const content = Buffer.from(text).toString('base64');
    return act({ path: `/bank-statements?bankAccount=${bank}`, body: { content } });
  };
  switch (random.whole(0, 6)) {
    case 0:
      await pay(all);
      break;
    case 1:
      await pay(part);
      break;
    case 2:
      await act({ path: `/invoices/${id}/credit-notes`, body: { reason: 'goodwill' } });
      break;
    case 3:
      await pay(all);
      await act({ path: `/invoices/${id}/credit-notes`, body: { reason: 'an outage' } });
      break;
    case 4:
      await act({ path: `/invoices/${id}/void`, body: {} });
      break;
    case 5:
      await act({ path: `/invoices/${id}/uncollectible`, body: {} });
      break;
    default:
  }
}

/** A seller, and a customer and contracts for each account. Answers the bank account, and who pays in USDC. */
async function agree(
  { service, token }: Office,
  manifest: Manifest,
): Promise<{ readonly bank: string; readonly payer: { readonly account: string; readonly customer: string } }> {
  const make = async (path: string, body: object): Promise<string> => {
    const answer = await service.call(path, { body, token });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.text}`);
    return (answer.body as { id: string }).id;
  };
  const payTo = 'DE89370400440532013000';
  const validFrom = manifest.from;
  await make('/tax-rates', { code: 'DE', validFrom, basisPoints: 1_900, reverseCharge: false });
  const sellerId = await make('/sellers', { legalName: 'Keyfare GmbH', address: 'Gasse 1', payTo, series: 'KF' });
  let payer = { account: '', customer: '' };
  for (const [nth, { id: account, name }] of manifest.accounts.entries()) {
    const customer = {
      legalName: name,
      address: 'Street 2',
      language: 'en',
      reportingCurrency: 'USD',
      paymentDays: 14,
    };
    const customerId = await make('/customers', { ...customer, ...(nth % 2 === 0 && { taxCode: 'DE' }) });
    for (const contract of contractsOf(manifest, nth)) {
      await make('/contracts', { account, customerId, sellerId, ...contract });
    }
    if (nth === 0) payer = { account, customer: customerId };
  }
  const mapping = {
    decimal: 'point',
    dateFormat: 'YYYY-MM-DD',
    bookedOn: 'day',
    amount: 'sum',
    payer: 'payer',
    reference: ['text'],
  };
  const bank = await make('/bank-accounts', { name: `Checking ${randomUUID()}`, currency: 'USD', mapping });
  return { bank, payer };
}

export function monthsOf({ from, until }: Pick<Manifest, 'from' | 'until'>): readonly string[] {
  const months: string[] = [];
  for (
    let at = new Date(from);
    at < new Date(until);
    at = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1))
  ) {
    months.push(at.toISOString().slice(0, 7));
  }
  return months;
}

function reportsOfMonth(month: string): readonly string[] {
  const names = ['trial-balance', 'revenue', 'revenue-timing', 'invoices', 'settlements', 'unpaid', 'refunds'];
  const reports = names.map((name) => `/reports/${name}.csv?month=${month}`);
  return [`/months/${month}/report`, `/months/${month}/report.csv`, ...reports];
}

/** Every report that finance works with, by its path. */
export async function readReports(
  { service, token }: Office,
  manifest: Manifest,
): Promise<Readonly<Record<string, string>>> {
  const paths = [
    '/reports/trial-balance.csv',
    '/reports/ageing.csv?asOf=2099-01-01',
    '/reports/callers.csv',
    ...monthsOf(manifest).flatMap(reportsOfMonth),
  ];
  const texts: Record<string, string> = {};
  for (const path of paths) {
    const { status, text } = await service.call(path, { token });
    if (status !== 200) throw new Error(`${path}: ${text}`);
    texts[path] = text;
  }
  return texts;
}
