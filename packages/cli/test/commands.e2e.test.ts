import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { fundedPayer, paymentHeaderV2, type Requirements, signAuthorization } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import type { Service } from '@keyfare/devstack/processes';
import { mintUsdc } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { commands } from '../src/commands/index.js';
import { exitCodes } from '../src/exit-code.js';
import { billingEnv, type Deployment, openDeployment, startApi, startBilling } from './deployment.js';
import { type Ended, runCli } from './run-cli.js';

type Json = Record<string, unknown>;
const bin = fileURLToPath(new URL('../../bin/keyfare.js', import.meta.url));
const call = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

let deployment: Deployment;
let services: Service[];
let env: Record<string, string>;

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

/** Sends a request on to the API, and gives the answer's body. */
async function passOn(incoming: IncomingMessage): Promise<string> {
  const { authorization = '', 'idempotency-key': key } = incoming.headers;
  const response = await fetch(`${env['KEYFARE_API_URL'] ?? ''}${incoming.url ?? ''}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', 'idempotency-key': String(key) },
    body: await text(incoming),
  });
  return response.text();
}

async function openAccount(name: string): Promise<string> {
  return String((await answer('accounts', 'create', name, '--plan', 'pro'))['id']);
}

beforeAll(async () => {
  const terms = [
    '--included-units',
    '1000',
    '--overage',
    'invoice',
    '--overage-price',
    '0.0005',
    '--monthly-price',
    '49',
  ];
  await answer('plans', 'create', 'pro', ...terms);
});

describe('plans', () => {
  it('are made, shown and listed, and a change makes the next version of what it does not name', async () => {
    const terms = ['--included-units', '10', '--overage', 'x402', '--overage-price', '$0.002'];
    expect(await answer('plans', 'create', 'small', ...terms)).toMatchObject({
      slug: 'small',
      version: 1,
      monthlyPrice: '$0.000000',
    });
    expect(await answer('plans', 'change', 'small', '--monthly-price', '9')).toMatchObject({
      version: 2,
      includedUnits: '10',
      overage: 'x402',
      overagePrice: '$0.002000',
      monthlyPrice: '$9.000000',
    });
    expect(await answer('plans', 'change', 'small', '--overage', 'reject')).toMatchObject({
      version: 3,
      overagePrice: null,
    });
    expect(await answer('plans', 'show', 'small')).toMatchObject({ version: 3, monthlyPrice: '$9.000000' });
    const { stdout } = await keyfare('plans', 'list');
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      'SLUG   VERSION  INCLUDED  OVERAGE  OVERAGE PRICE  MONTHLY PRICE',
      'pro          1      1000  invoice      $0.000500     $49.000000',
    ]);
    expect(await keyfare('plans', 'show', 'nothing')).toMatchObject({
      code: 5,
      stderr: 'error: there is no plan nothing\n',
    });
  });
});

describe('accounts', () => {
  it('are opened, changed, ended and closed, each change of the version that was read', async () => {
    const id = await openAccount('Acme');
    expect(await answer('accounts', 'change', id, '--name', 'Acme Ltd')).toMatchObject({ name: 'Acme Ltd' });
    expect(await answer('accounts', 'change', id, '--status', 'suspended')).toMatchObject({ status: 'suspended' });
    const end = '2127-01-01T00:00:00.000Z';
    expect(await answer('accounts', 'end', id, '--at', end)).toMatchObject({ endsAt: end });
    expect(await answer('accounts', 'end', id, '--never')).toMatchObject({ endsAt: null });
    expect(await answer('accounts', 'usage', id)).toMatchObject({ account: id, used: '0' });
    expect(await answer('accounts', 'close', id)).toMatchObject({ status: 'closed' });
    const { stdout } = await keyfare('accounts', 'show', id);
    expect(stdout).toMatch(/^id {7}\S+\nname {5}Acme Ltd\nplan {5}pro@1\nstatus {3}closed\n/);
  });

  it('are listed to the end over all pages, or as many as were asked for, and the output says when there are more', async () => {
    const before = ((await answer('accounts', 'list'))['items'] as Json[]).length;
    await deployment.sql(`insert into keyfare.account (id, name, plan_id, status, created_at, effective_at)
      select 'acc_many' || n, 'Many ' || n, (select plan_id from keyfare.account limit 1), 'active',
        date_trunc('milliseconds', now()), now() from generate_series(1, 450) n`);
    const all = await answer('accounts', 'list');
    expect(all).toMatchObject({ more: false });
    const items = all['items'] as Json[];
    expect(items).toHaveLength(before + 450);
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
    expect(await answer('accounts', 'list', '--limit', '250')).toMatchObject({
      more: true,
      items: items.slice(0, 250),
    });
    const some = await keyfare('accounts', 'list', '--search', 'Many', '--limit', '201');
    expect(some.stdout.trimEnd().split('\n')).toHaveLength(1 + 201);
    expect(some.stderr).toBe('There are more: --limit says how many are shown.\n');
    // Nothing was signed of these: the books would not agree.
    await deployment.sql(`delete from keyfare.account where id like 'acc_many%'`);
  });

  it('whose names hold orders to the terminal are shown with these spelled out', async () => {
    const id = await openAccount('Plain');
    const name = '\u001b[2J\u009b31m\u202eevil\u0007';
    await deployment.sql('update keyfare.account set name = $2 where id = $1', [id, name]);
    for (const args of [
      ['show', id],
      ['list', '--limit', '1000'],
      ['show', id, '--json'],
    ]) {
      const { stdout } = await keyfare('accounts', ...args);
      expect(stdout).toContain('\\u001b[2J\\u009b31m\\u202eevil\\u0007');
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(await answer('accounts', 'show', id)).toMatchObject({ name });
  });
});

describe('keys and receipts', () => {
  it('of a key that is issued here serve a call, whose receipt verifies offline; one flipped bit does not', async () => {
    const account = await openAccount('Caller');
    const created = await keyfare('keys', 'create', account, '--name', 'one', '--scope', 'forecast');
    expect(created.stderr).toBe('The secret is shown now and never again.\n');
    const [, secret = ''] = /^secret +(\S+)$/m.exec(created.stdout) ?? [];
    const response = await fetch(`${env['KEYFARE_API_URL'] ?? ''}${call}`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(response.status).toBe(200);
    const jws = response.headers.get('keyfare-receipt') ?? '';
    const jwks = join(deployment.folder, 'jwks.json');
    writeFileSync(jwks, await (await fetch(`${env['KEYFARE_API_URL'] ?? ''}/.well-known/jwks.json`)).text());

    const offline = await runCli(['receipts', 'verify', jws, '--jwks', jwks, '--json'], {});
    expect(offline.code).toBe(0);
    const { receipt } = JSON.parse(offline.stdout) as { receipt: Json };
    expect(receipt).toMatchObject({ rail: 'key', sku: 'forecast' });
    const id = String(receipt['id']);
    expect((await keyfare('receipts', 'show', id, '--raw')).stdout).toBe(`${jws}\n`);
    expect(await answer('receipts', 'show', id)).toMatchObject({ receipt, jws });
    expect((await runCli(['receipts', 'verify', '-'], env, { stdin: `${jws}\n` })).code).toBe(0);

    const [head = '', payload = '', signature = ''] = jws.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    const forged = `${head}.${payload}.${bytes.toString('base64url')}`;
    expect(await runCli(['receipts', 'verify', forged, '--jwks', jwks], {})).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/genuine +false\nreason +bad-signature/),
    });
    // A file without an end is not read to it.
    expect(await runCli(['receipts', 'verify', '/dev/zero', '--jwks', jwks], {})).toMatchObject({
      code: exitCodes.usage,
      stderr: 'error: the file /dev/zero is too large\n',
    });
  });

  it('are rotated, a waiting secret only when that is asked for, and revoked', async () => {
    const account = await openAccount('Rotating');
    const { key } = await answer('keys', 'create', account);
    const id = String((key as Json)['id']);
    const first = await answer('keys', 'rotate', id, '--grace-seconds', '60');
    expect(await keyfare('keys', 'rotate', id)).toMatchObject({ code: 5 });
    const second = await answer('keys', 'rotate', id, '--replace-pending');
    expect(second['secret']).not.toBe(first['secret']);
    expect(await answer('keys', 'revoke', id)).toMatchObject({ revokedAt: expect.any(String) });
    const { items } = await answer('keys', 'list', account);
    expect(items).toEqual([expect.objectContaining({ id, revokedAt: expect.any(String) })]);
  });
});

describe('a write', () => {
  it('with the same --idempotency-key is done once, and gets the same answer again', async () => {
    const args = ['accounts', 'create', 'Once', '--plan', 'pro', '--idempotency-key', 'once-1'];
    expect(await answer(...args)).toEqual(await answer(...args));
    expect((await answer('accounts', 'list', '--search', 'Once'))['items']).toHaveLength(1);
  });

  it('that is not answered is sent again under its one key, and done once', async () => {
    let attempts = 0;
    const keys = new Set<unknown>();
    const relay = createServer((incoming, response) => {
      attempts += 1;
      keys.add(incoming.headers['idempotency-key']);
      const isFirst = attempts === 1;
      void passOn(incoming).then((answered) => {
        // The first answer is lost on the way back.
        if (isFirst) incoming.socket.destroy();
        return isFirst || response.end(answered);
      });
    });
    await new Promise<void>((resolve) => void relay.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
      const { name } = await answer('accounts', 'create', 'Lost answer', '--plan', 'pro', '--api-url', url);
      expect({ name, attempts, keys: keys.size }).toEqual({ name: 'Lost answer', attempts: 2, keys: 1 });
      expect((await answer('accounts', 'list', '--search', 'Lost answer'))['items']).toHaveLength(1);
    } finally {
      relay.closeAllConnections();
      await new Promise((resolve) => void relay.close(resolve));
    }
  });
});

describe('payments and the books', () => {
  const payTo = () => (deployment.env['PAY_TO'] ?? '') as `0x${string}`;

  it('list a payment with its transaction and what its caller should do', async () => {
    const payer = await fundedPayer(deployment.chain, 7);
    const url = `${env['KEYFARE_API_URL'] ?? ''}${call}`;
    const required = (await fetch(url)).headers.get('payment-required') ?? '';
    const { accepts } = JSON.parse(Buffer.from(required, 'base64').toString()) as { accepts: [Requirements] };
    const payload = await signAuthorization({ payer, to: payTo(), value: BigInt(accepts[0].amount) });
    const paid = await fetch(url, {
      headers: { 'payment-signature': paymentHeaderV2({ payload, accepted: accepts[0] }) },
    });
    expect(paid.status).toBe(200);
    const { items } = await answer('payments', 'list', '--payer', payer.address);
    const [payment] = items as [Json];
    expect(payment).toMatchObject({ payer: payer.address.toLowerCase(), amount: accepts[0].amount });
    const { stdout } = await keyfare('payments', 'show', String(payment['id']));
    expect(stdout).toMatch(/^advice +Paid and served\./m);
    expect(stdout).toMatch(/^TRANSACTION +STATE/m);
  });

  it('reconcile with 0 while all agrees, and with 1 when there is a break, which is then resolved and opened again', async () => {
    await deployment.chain.mine(3);
    const clean = await keyfare('reconcile');
    expect(clean).toMatchObject({ code: 0, stdout: expect.stringMatching(/^open +0$/m) });
    await mintUsdc(deployment.chain.rpcUrl, payTo(), 5_000n);
    await deployment.chain.mine(3);
    const found = await keyfare('reconcile');
    expect(found).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^CLASS +OPEN +AMOUNT +ASSET\n\S+ +1 +\S+ +USDC$/m),
    });
    expect((await keyfare('reconcile', '--latest')).stdout).toBe(found.stdout);
    const { items } = await answer('breaks', 'list', '--status', 'open');
    const id = String((items as [Json])[0]['id']);
    expect(await answer('breaks', 'change', id, '--owner', 'ann', '--note', 'asked the bank')).toMatchObject({
      owner: 'ann',
    });
    expect(await answer('breaks', 'resolve', id, '--resolution', 'a gift')).toMatchObject({ status: 'resolved' });
    expect(await answer('breaks', 'reopen', id)).toMatchObject({ status: 'open', owner: 'ann' });
    expect((await keyfare('breaks', 'show', id)).stdout).toMatch(/^note +asked the bank$/m);
    const gift = ['breaks', 'resolve', id, '--resolution', 'a gift', '--kind'];
    expect((await keyfare(...gift, 'correction')).code).toBe(2);
    expect(await answer(...gift, 'gift')).toMatchObject({
      posting: { kind: 'gift', debit: 'unidentified-receipts', credit: 'other-income' },
    });
    expect((await keyfare('breaks', 'approve', id)).stderr).toContain('break/conflict');
    expect(await answer('breaks', 'reopen', id)).toMatchObject({ status: 'open', posting: null });
    expect(await answer('breaks', 'comment', id, 'asked again')).toMatchObject({ text: 'asked again' });
    expect(await answer('entries', 'list', '--fault', 'terms-missing')).toMatchObject({ items: [] });
    const readmit = ['entries', 'readmit', '00000000-0000-7000-8000-000000000001', '--reason', 'the terms came'];
    expect((await keyfare(...readmit)).stderr).toContain('entry/not-found');
    const month = new Date().toISOString().slice(0, 7);
    expect((await keyfare('months', 'lock', month)).stderr).toContain('month/not-ready');
    expect((await keyfare('months', 'reopen', month, '--reason', 'x')).stderr).toContain('month/conflict');
  }, 60_000);

  it('draft an invoice, list it, and print the reports as table, JSON and CSV', async () => {
    const account = ((await answer('accounts', 'list', '--search', 'Caller'))['items'] as [Json])[0]['id'];
    const month = new Date().toISOString().slice(0, 7);
    const drafted = await answer('invoices', 'draft', String(account), month);
    expect(drafted).toMatchObject({ account, month, state: 'draft' });
    expect((await keyfare('invoices', 'show', String(drafted['id']))).stdout).toMatch(/^KIND +DESCRIPTION +QUANTITY/m);
    expect((await answer('invoices', 'list', '--month', month))['items']).toHaveLength(1);
    expect((await keyfare('reports', 'revenue')).stdout).toMatch(/^RAIL|^ASSET|^[A-Z]/);
    const csv = await keyfare('reports', 'revenue', '--csv');
    expect(csv).toMatchObject({ code: 0, stdout: expect.stringContaining(',') });
    const { items } = await answer('reports', 'trial-balance');
    expect((items as Json[]).length).toBeGreaterThan(0);
  });

  it('propose, show and reject a refund: there is none here, and it says so', async () => {
    const nobody = '00000000-0000-7000-8000-000000000000';
    expect((await keyfare('refunds', 'propose', nobody)).stderr).toContain('refund/conflict');
    for (const verb of ['show', 'approve', 'reject']) {
      expect((await keyfare('refunds', verb, nobody)).stderr).toContain('refund/not-found');
    }
    expect((await keyfare('refunds', 'credit', nobody, '--customer', nobody)).stderr).toContain('customer/not-found');
    expect((await keyfare('refunds', 'list', '--state', 'final')).code).toBe(0);
  });

  it('name a wallet, change what it is, and list it', async () => {
    const address = `0x${'5e'.repeat(20)}`;
    expect(await answer('wallets', 'add', address, 'treasury', '--label', 'Cold store')).toMatchObject({ address });
    expect(await answer('wallets', 'change', address, '--kind', 'other')).toMatchObject({ kind: 'other' });
    expect((await keyfare('wallets', 'list', '--kind', 'other')).stdout).toMatch(/^0x(5e){20} +other +Cold store/m);
    expect((await keyfare('wallets', 'show', `0x${'5f'.repeat(20)}`)).code).toBe(5);
  });

  it('write reports, exports and the close pack to files, whole or not at all, and refuse options that they do not have', async () => {
    const month = new Date().toISOString().slice(0, 7);
    const directory = mkdtempSync(join(tmpdir(), 'keyfare-cli-'));
    const at = (name: string): string => join(directory, name);
    try {
      const balance = ['reports', 'trial-balance', '--month', month, '--csv'];
      expect(await answer(...balance, '--separator', 'semicolon', '--bom', '--output', at('balance.csv'))).toEqual({
        file: at('balance.csv'),
        bytes: readFileSync(at('balance.csv')).length,
      });
      expect(readFileSync(at('balance.csv'), 'utf8')).toMatch(/^\uFEFFaccount;type;asset;debit;credit\r\n/);
      expect((await keyfare('exports', 'hledger', '--month', month)).stdout).toContain('commodity');
      await answer('exports', 'journals', '--program', 'xero', '--month', month, '--output', at('xero.csv'));
      expect(readFileSync(at('xero.csv'), 'utf8')).toContain('*Narration');
      await answer('months', 'pack', month, '--output', at('pack.pdf'));
      expect(readFileSync(at('pack.pdf'), 'latin1')).toMatch(/^%PDF-1\.7[^]*%%EOF\s*$/);
      const nowhere = await keyfare(...balance, '--output', at('no/balance.csv'));
      expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining('was not written')]);
      expect(readdirSync(directory).toSorted()).toEqual(['balance.csv', 'pack.pdf', 'xero.csv']);
      for (const args of [
        ['reports', 'revenue', '--as-of', '2026-11-30'],
        ['exports', 'focus', '--program', 'xero'],
      ]) {
        expect((await keyfare(...args)).code).toBe(2);
      }
      const { digest } = await answer('months', 'report', month);
      expect((await keyfare('months', 'sign-off', month, '--digest', String(digest))).stderr).toContain(
        'month/conflict',
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('ask for a run, follow it to its end, and cannot cancel it then', async () => {
    const { id } = await answer('runs', 'start', '--full');
    expect(await answer('runs', 'show', String(id), '--follow')).toMatchObject({ id, scope: 'full', state: 'done' });
    expect(await answer('runs', 'cancel', String(id))).toMatchObject({ id, state: 'done' });
    expect((await keyfare('runs', 'list', '--limit', '1')).stdout).toMatch(/^ID +SCOPE[^]*\n\S+ +full +manual +done/);
  });

  it('tell who did what', async () => {
    const { items } = await answer('audit', 'api', '--action', 'account.close');
    expect(items).toEqual([
      expect.objectContaining({ action: 'account.close', operator: expect.objectContaining({ name: 'test' }) }),
    ]);
    expect((await keyfare('audit', 'billing')).stdout).toContain('break.change');
    expect(await answer('operators', 'self')).toMatchObject({ name: 'test', scopes: ['read', 'write', 'money'] });
    const made = await answer('operators', 'create', 'reader', '--scope', 'read');
    const { id } = made['operator'] as Json;
    expect(await answer('operators', 'revoke', String(id))).toMatchObject({ revokedAt: expect.any(String) });
    expect((await keyfare('operators', 'list')).stdout).toContain('reader');
    const refused = await runCli(['accounts', 'list'], { ...env, KEYFARE_OPERATOR_TOKEN: String(made['token']) });
    expect(refused.code).toBe(4);
  });
});

describe('the examples of docs/cli.md', () => {
  it('have the columns and fields of real answers', async () => {
    const idOf = async (...list: readonly string[]): Promise<string> =>
      String(((await answer(...list, '--limit', '1'))['items'] as [Json])[0]['id']);
    const account = String(((await answer('accounts', 'list', '--search', 'Caller'))['items'] as [Json])[0]['id']);
    const tried: Readonly<Record<string, readonly string[]>> = {
      'plans list': [],
      'plans show': ['pro'],
      'accounts list': [],
      'accounts show': [account],
      'accounts usage': [account],
      'keys list': [account],
      'keys show': [await idOf('keys', 'list', account)],
      'payments list': [],
      'payments show': [await idOf('payments', 'list')],
      'operators list': [],
      'operators self': [],
      'audit api': [],
      'audit billing': [],
      'invoices list': [],
      'invoices show': [await idOf('invoices', 'list')],
      'breaks list': [],
      'breaks show': [await idOf('breaks', 'list')],
      'breaks comments': [await idOf('breaks', 'list')],
      'breaks history': [await idOf('breaks', 'list')],
      'runs list': [],
      'runs show': [await idOf('runs', 'list')],
      'months report': [new Date().toISOString().slice(0, 7)],
      'months list': [],
      'wallets list': [],
      'wallets show': [`0x${'5e'.repeat(20)}`],
      'months show': [new Date().toISOString().slice(0, 7)],
      reconcile: ['--latest'],
    };
    for (const [name, args] of Object.entries(tried)) {
      const { stdout } = await keyfare(...name.split(' '), ...args);
      const output = commands.find((command) => command.name === name)?.examples[0]?.output ?? '';
      expect({ name, labels: labelsOf(output) }).toEqual({ name, labels: labelsOf(stdout) });
    }
  });
});

/** The headings of a table, or the names of a record's fields; and those of a table behind it. */
function labelsOf(output: string): readonly string[] {
  const [first = '', ...rest] = output.split('\n').map((line) => line.split(/ {2,}/));
  const isHeading = (line: readonly string[]): boolean =>
    line.length > 1 && line.every((cell) => /^[A-Z ]+$/.test(cell));
  if (isHeading(first as string[])) return first as string[];
  const all = [first as string[], ...rest];
  const table = all.findIndex(isHeading);
  const fields = all.slice(0, table < 0 ? undefined : table).map(([name = '']) => name);
  return [...fields, ...(table < 0 ? [] : (all[table] ?? []))].filter((label) => label !== '');
}

describe('the exit code', () => {
  it.each([
    [2, ['accounts', 'list', '--status', 'nonsense'], {}, /choices|Allowed/],
    [2, ['accounts', 'list'], { KEYFARE_API_URL: '' }, /set KEYFARE_API_URL, or --api-url/],
    [2, ['accounts', 'list'], { KEYFARE_OPERATOR_TOKEN: '' }, /Set KEYFARE_OPERATOR_TOKEN/],
    [2, ['accounts', 'list', '--limit', '1e3'], {}, /--limit must be a whole number/],
    [2, ['plans', 'create', 'Bad slug', '--included-units', '1', '--overage', 'reject'], {}, /request\/invalid/],
    [4, ['accounts', 'list'], { KEYFARE_OPERATOR_TOKEN: 'kfo_nobody' }, /operator\/unauthorized[^]*see http/],
    [5, ['accounts', 'show', 'acc_nobody'], {}, /account\/not-found/],
  ])('is %i for `keyfare %j` with %j, and stderr says why', async (code, args, change, words) => {
    const ended = await runCli(args, { ...env, ...change });
    expect(ended).toEqual({ code, stdout: '', stderr: expect.stringMatching(words) });
  });

  it('is 3 when nobody answers, after four attempts, and a write says how it is repeated safely', async () => {
    const url = `http://127.0.0.1:${await choosePort()}`;
    expect(await keyfare('accounts', 'list', '--api-url', url)).toEqual({
      code: 3,
      stdout: '',
      stderr: `error: ${url} cannot be reached (ECONNREFUSED)\n  Is it running, and is KEYFARE_API_URL right?\n`,
    });
    const write = await keyfare('keys', 'revoke', 'key_x', '--idempotency-key', 'mine', '--api-url', url);
    expect(write).toMatchObject({ code: 3, stderr: expect.stringContaining('--idempotency-key mine to do it once') });
  });

  it('comes with the problem document on stderr as JSON, and nothing on stdout, when --json is asked for', async () => {
    const { code, stdout, stderr } = await keyfare('accounts', 'show', 'acc_nobody', '--json');
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'account/not-found', status: 404, title: expect.any(String) },
    });
  });
});

describe('as a process', () => {
  it('takes the token from a file, prints one JSON document and no colour, and ends with its exit code', () => {
    const path = join(deployment.folder, 'token');
    writeFileSync(path, `${env['KEYFARE_OPERATOR_TOKEN'] ?? ''}\n`, { mode: 0o600 });
    const { KEYFARE_OPERATOR_TOKEN: _, ...rest } = env;
    const surroundings = { PATH: process.env['PATH'] ?? '', ...rest, KEYFARE_OPERATOR_TOKEN_FILE: path };
    const run = (...args: string[]) => spawnSync(bin, args, { env: surroundings, encoding: 'utf8' });
    expect(JSON.parse(run('operators', 'self', '--json').stdout)).toMatchObject({ name: 'test' });
    expect(run('accounts', 'show', 'acc_nobody')).toMatchObject({ status: 5, stdout: '' });
    expect(run('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    // oxlint-disable-next-line no-control-regex -- what is looked for
    expect(run('doctor').stdout).not.toMatch(/\u001b/);
  });

  it('brings a schema up to date, says what is pending before, and refuses a login that may not', async () => {
    const { owner, api } = deployment.logins;
    const name = `empty_${deployment.database.name.slice(-12)}`;
    await deployment.sql(`create database ${name} owner ${owner}`);
    const at = (login: string): Record<string, string> => {
      const url = new URL(deployment.urlOf(login));
      url.pathname = `/${name}`;
      return { MIGRATION_DATABASE_URL: url.href };
    };
    try {
      const pending = await runCli(['migrate', '--dry-run', '--json'], at(owner));
      expect(pending.code).toBe(1);
      const { pending: names } = JSON.parse(pending.stdout) as { pending: string[] };
      expect(names.length).toBeGreaterThan(20);
      expect(await runCli(['migrate'], at(api))).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('no CREATE on the database'),
      });
      expect(await runCli(['migrate', '--json'], at(owner))).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(names[0] ?? ''),
      });
      expect(await runCli(['migrate', '--dry-run'], at(owner))).toMatchObject({
        code: 0,
        stdout: 'nothing is pending\n',
      });
      const away = { MIGRATION_DATABASE_URL: 'postgres://a:b@127.0.0.1:9/c' };
      expect(await runCli(['migrate', '--dry-run'], away)).toMatchObject({ code: 3 });
      const unreadable = { MIGRATION_DATABASE_URL: 'postgres://owner:a/b@127.0.0.1/keyfare' };
      expect(await runCli(['migrate'], unreadable)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('MIGRATION_DATABASE_URL is no postgres:// URL that can be read'),
      });
    } finally {
      await deployment.sql(`drop database ${name} with (force)`);
    }
  }, 60_000);
});
