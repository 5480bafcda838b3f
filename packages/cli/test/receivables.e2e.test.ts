import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Service } from '@keyfare/devstack/processes';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { billingEnv, type Deployment, openDeployment, startApi, startBilling } from './deployment.js';
import { type Ended, runCli } from './run-cli.js';

type Json = Record<string, unknown>;
let deployment: Deployment;
let services: Service[];
let env: Record<string, string>;
const folder = mkdtempSync(join(tmpdir(), 'keyfare-cli-'));

beforeAll(async () => {
  deployment = await openDeployment();
  const api = await startApi(deployment);
  const billing = await billingEnv(deployment);
  await runCli(['migrate', '--billing'], billing);
  for (const role of ['keyfare_billing', 'keyfare_billing_reader']) {
    await deployment.sql(`grant ${role} to ${deployment.logins.billing}`);
  }
  services = [api, await startBilling(deployment, billing)];
  env = {
    KEYFARE_API_URL: deployment.env['PUBLIC_URL'] ?? '',
    KEYFARE_BILLING_URL: `http://127.0.0.1:${billing['PORT'] ?? ''}`,
    KEYFARE_OPERATOR_TOKEN: deployment.env['BOOTSTRAP_TOKEN'] ?? '',
  };
  const { token } = await answer('operators', 'create', 'test', '--scope', 'read', 'write', 'money');
  env['KEYFARE_OPERATOR_TOKEN'] = String(token);
}, 90_000);
afterAll(async () => {
  for (const service of services) await service.stop();
  await deployment.close();
  rmSync(folder, { recursive: true });
}, 30_000);

async function keyfare(...args: readonly string[]): Promise<Ended> {
  return runCli(args, env);
}

/** The one JSON document of a command that ends well. */
async function answer(...args: readonly string[]): Promise<Json> {
  const { code, stdout, stderr } = await keyfare(...args, '--json');
  expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as Json;
}

/** What has no command of its own. */
async function make(path: string, body: object): Promise<string> {
  const response = await fetch(`${env['KEYFARE_BILLING_URL'] ?? ''}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${env['KEYFARE_OPERATOR_TOKEN'] ?? ''}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

describe('commands of billing', () => {
  it('keep customers, their contracts, prices and commits', async () => {
    const fields = ['--name', 'Acme', '--address', 'Gasse 1', '--language', 'de-AT', '--currency', 'EUR'];
    const { id } = await answer('customers', 'add', ...fields, '--payment-days', '14');
    expect(await answer('customers', 'change', String(id), '--country', 'AT')).toMatchObject({ country: 'AT' });
    expect((await keyfare('customers', 'change', String(id))).code).toBe(2);
    expect((await keyfare('customers', 'list')).stdout).toMatch(
      /^ID +NAME +COUNTRY +TAX ID +TAX CODE +DAYS\n.* Acme +AT /,
    );
    const payTo = 'DE89370400440532013000';
    const seller = await make('/sellers', { legalName: 'Keyfare', address: 'Gasse 2', payTo, series: 'KF' });
    const from = '2026-11-01T00:00:00.000Z';
    const contract = String((await answer('contracts', 'add', 'acct_1', String(id), seller, from))['id']);
    expect((await keyfare('contracts', 'list')).stdout).toMatch(new RegExp(`${contract}.* calendar, UTC\n`, 'u'));
    const berlin = ['--periods', 'anniversary', '--time-zone', 'Europe/Berlin'];
    expect(await answer('contracts', 'add', 'acct_2', String(id), seller, from, ...berlin)).toMatchObject({
      periodAnchor: 'anniversary',
      timeZone: 'Europe/Berlin',
    });
    const later = '2026-12-01T00:00:00.000Z';
    expect(await answer('contracts', 'price', contract, 'forecast', '0.0001', later)).toMatchObject({
      unitPrice: '0.000100',
    });
    expect(await answer('contracts', 'price', contract, 'other', 'plan', later)).toMatchObject({ unitPrice: null });
    expect((await keyfare('contracts', 'commit', contract, '100', later)).stdout).toMatch(
      /^amount +100\.000000\nfrom +2026-12-01/,
    );
  });

  it('read bank statements, and say what payments are of', async () => {
    const mapping = { decimal: 'point', dateFormat: 'YYYY-MM-DD', bookedOn: 'day', amount: 'sum', payer: 'payer' };
    const account = await make('/bank-accounts', {
      name: 'Bank',
      currency: 'USD',
      mapping: { ...mapping, reference: ['text'] },
    });
    const file = join(folder, 'november.csv');
    writeFileSync(file, 'day,sum,payer,text\n2026-11-05,10.00,Acme,your invoice\n');
    const lines = ['preview  true\nlines    1\nadded    1\nmatched  0\n', 'ID '];
    expect((await keyfare('bank-payments', 'import', account, file)).stdout).toBe(lines[0]);
    expect(await answer('bank-payments', 'import', account, file, '--yes')).toMatchObject({ added: 1 });
    expect(await answer('bank-payments', 'import', account, file, '--yes')).toMatchObject({ added: 0 });
    expect((await keyfare('bank-payments', 'import', account, join(folder, 'no.csv'))).code).toBe(2);
    const [payment] = (await answer('bank-payments', 'list', '--state', 'open'))['items'] as Json[];
    const id = String(payment?.['id']);
    expect((await keyfare('bank-payments', 'show', id)).stdout).toMatch(
      /^id +.*\nbooked +2026-11-05\namount +10\.000000\n/,
    );
    expect(await answer('bank-payments', 'proposals')).toMatchObject({ items: [] });
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect((await keyfare('bank-payments', 'match', id, nobody)).code).toBe(5);
    expect((await keyfare('bank-payments', 'unmatch', id, nobody, '--why', 'twice')).code).toBe(5);
    const [customer] = (await answer('customers', 'list'))['items'] as Json[];
    expect(await answer('bank-payments', 'credit', id, String(customer?.['id']), '--amount', '4')).toMatchObject({
      matched: '4.000000',
    });
  });

  it('say from which wallet a customer pays, and match transfers', async () => {
    const [customer] = (await answer('customers', 'list'))['items'] as Json[];
    const address = `0x${'Ab'.repeat(20)}`;
    expect((await keyfare('transfers', 'from', String(customer?.['id']), address)).stdout).toContain(
      `address   ${address.toLowerCase()}`,
    );
    expect(await answer('transfers', 'match')).toEqual({ items: [] });
    const nothing = '00000000-0000-4000-8000-000000000000';
    const unmatched = await keyfare('transfers', 'unmatch', nothing, '--why', 'of another customer');
    expect(unmatched.code).toBe(5);
    expect((await keyfare('transfers', 'unmatch', nothing)).code).toBe(2);
  });

  it('adjust the next invoice, and write reminders', async () => {
    const credit = ['adjustments', 'add', 'acct_9', 'credit', '2.50', '--description', 'Outage', '--why', 'ticket 7'];
    expect((await keyfare(...credit)).code).toBe(5);
    expect(await answer('adjustments', 'list', '--state', 'open')).toMatchObject({ items: [] });
    expect((await keyfare('adjustments', 'approve', 'x')).code).toBe(5);
    expect((await keyfare('adjustments', 'withdraw', 'x')).code).toBe(5);
    expect(await answer('reminders', 'run')).toMatchObject({ preview: true, items: [], remaining: 0 });
    expect((await keyfare('reminders', 'run', '--yes')).stdout).toMatch(
      /^preview +false\ntotal +0\.000000\nremaining +0\n/,
    );
    expect(await answer('reminders', 'list')).toMatchObject({ items: [] });
    expect((await keyfare('reminders', 'save', 'x', '--output', join(folder, 'x.pdf'))).code).toBe(5);
  });
});
