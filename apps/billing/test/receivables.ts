import { expect } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { type Service, startService } from './service.js';
import { openWorld, type World } from './world.js';

const mapping = {
  decimal: 'point',
  dateFormat: 'YYYY-MM-DD',
  bookedOn: 'day',
  amount: 'sum',
  payer: 'payer',
  reference: ['text'],
};

interface Made {
  readonly customer: string;
  readonly bank: string;
  /** By number: `KF-000001` and so on, of 10 dollars each, due on 16 November. */
  readonly invoices: ReadonlyMap<string, string>;
}

/** A billing whose customers owe for October, and what they pay at the bank. */
export interface Receivables {
  readonly world: World;
  readonly service: Service;
  post(path: string, body?: object, token?: string): Promise<readonly [number, Record<string, unknown>]>;
  /** Open breaks but those of standstills: there is no chain here. */
  reconcile(): Promise<readonly string[]>;
  /** October's drafts of these accounts, of 10 dollars each, all of one customer, which is answered. */
  drafts(...accounts: readonly string[]): Promise<string>;
  /** October's final invoices of these accounts, all of one customer, and a bank account. */
  october(...accounts: readonly string[]): Promise<Made>;
  /** A statement with these lines: day, sum, payer, text. */
  send(bank: string, ...lines: readonly string[]): Promise<Record<string, unknown>>;
  /** The rows of the FOCUS export: the category and the billed cost, in micro-dollars. */
  focus(account: string, month: string): Promise<readonly (readonly [string, bigint])[]>;
  /** The payments of which something is open. */
  open(): Promise<readonly { id: string; amount: string; matched: string }[]>;
  readonly stateOf: (invoice: string | undefined) => Promise<unknown>;
  close(): Promise<void>;
}

export async function openReceivables(env: Readonly<Record<string, string>> = {}): Promise<Receivables> {
  const world = await openWorld(env);
  world.clock.set('2026-10-01T00:00:00Z');
  const service = await startService(world);

  async function make(path: string, body: object): Promise<string> {
    const answer = await service.call(path, { body });
    expect([path, answer.status]).toEqual([path, 201]);
    return (answer.body as { id: string }).id;
  }

  async function post(path: string, body: object = {}, token?: string) {
    const { status, body: answer } = await service.call(path, { body, ...(token !== undefined && { token }) });
    return [status, answer] as readonly [number, Record<string, unknown>];
  }

  async function reconcile(): Promise<readonly string[]> {
    await service.app.get(ReconcileJob).run('manual');
    const rows = await world.rows<{ class: string; detail: string }>(
      `select class, detail from billing.break
        where status = 'open' and class not in ('chain-stalled', 'intake-stalled') order by class, detail`,
    );
    return rows.map((row) => `${row.class}: ${row.detail}`);
  }

  async function drafts(...accounts: readonly string[]): Promise<string> {
    for (const account of accounts) {
      await world.log.terms(account, { includedUnits: '0' });
      await world.log.keyCall(account);
    }
    const payTo = 'DE89370400440532013000';
    const sellerId = await make('/sellers', { legalName: 'Keyfare', address: 'Gasse 1', payTo, series: 'KF' });
    const customer = await make('/customers', {
      legalName: 'Acme',
      address: 'Street 2',
      language: 'en',
      reportingCurrency: 'USD',
      paymentDays: 14,
    });
    for (const account of accounts) {
      await make('/contracts', { account, customerId: customer, sellerId, startsAt: '2026-10-01T00:00:00.000Z' });
    }
    world.clock.set('2026-11-02T03:00:00Z');
    await reconcile();
    await service.app.get(DraftsJob).run();
    return customer;
  }

  async function october(...accounts: readonly string[]): Promise<Made> {
    const customer = await drafts(...accounts);
    const [status, { items }] = await post('/invoices/finalize', { month: '2026-10', preview: false });
    expect(status).toBe(200);
    const made = items as readonly { number: string; id: string; payable: string }[];
    expect(made.map(({ payable }) => payable)).toEqual(accounts.map(() => '10.00'));
    const bank = await make('/bank-accounts', { name: 'Checking', currency: 'USD', mapping });
    return { customer, bank, invoices: new Map(made.map(({ number, id }) => [number, id])) };
  }

  async function send(bank: string, ...lines: readonly string[]): Promise<Record<string, unknown>> {
    const content = Buffer.from(['day,sum,payer,text', ...lines, ''].join('\n')).toString('base64');
    const [status, answer] = await post(`/bank-statements?bankAccount=${bank}`, { content });
    expect(status).toBe(200);
    return answer;
  }

  async function focus(account: string, month: string): Promise<readonly (readonly [string, bigint])[]> {
    const { text } = await service.call(`/exports/focus?account=${account}&month=${month}&provider=Weather`);
    const [, ...lines] = text.trim().split('\r\n');
    return lines.map((line) => [
      /,(Usage|Purchase|Adjustment|Credit),/.exec(line)?.[1] ?? '',
      BigInt(line.slice(0, line.indexOf(',')).replace('.', '')),
    ]);
  }

  async function open(): Promise<readonly { id: string; amount: string; matched: string }[]> {
    const { body } = await service.call('/bank-payments?state=open');
    return (body as { items: readonly { id: string; amount: string; matched: string }[] }).items;
  }

  async function stateOf(invoice: string | undefined): Promise<unknown> {
    return ((await service.call(`/invoices/${invoice}`)).body as { state: string }).state;
  }

  const close = async () => {
    await service.close();
    await world.close();
  };
  return { world, service, post, reconcile, drafts, october, send, focus, open, stateOf, close };
}
