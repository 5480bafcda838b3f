import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type Api,
  type Billing,
  type Ground,
  openAccount,
  openGround,
  operatorToken,
  readiness,
  startApi,
  startBilling,
} from './api-process.js';
import { openMute } from './mute.js';
import { operating } from './operating.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** What a scrape exports, by its HELP and TYPE lines: a metric that nothing has happened to yet has no others. */
function metricsOf(text: string): readonly Metric[] {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
  return [...text.matchAll(/^# HELP (\S+) ?(.*)$/gm)].map(([, name = '', help = '']) => ({
    name,
    help,
    type: types.get(name) ?? 'untyped',
  }));
}

const names = /\b(?:keyfare|nodejs|process)_[a-z0-9_]+\b/g;

/** Roles and logins of the database in the papers, which are named alike. */
const roles = new Set(['keyfare_gate', 'keyfare_billing', 'keyfare_billing_reader', 'keyfare_owner', 'keyfare_api']);

/** The names of metrics in a text that is about them. */
function namesIn(text: string): readonly string[] {
  return [...new Set(text.match(names) ?? [])].filter((name) => !roles.has(name));
}

describe('who watches the API and billing', () => {
  let ground: Ground;
  let api: Api;
  let billing: Billing;
  let exported: ReadonlyMap<string, Metric>;
  let texts: readonly string[];

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
    billing = await startBilling(ground, api);
    const { secret } = await openAccount(ground, api, { includedUnits: 100, overage: 'reject' });
    const path = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';
    // One that is served and one that is asked to pay: their figures are looked at below.
    await fetch(api.url + path, { headers: { authorization: `Bearer ${secret}` } });
    await fetch(api.url + path);
    await billing.reconcile();
    await readiness(api);
    texts = await Promise.all([api.url, billing.url].map(async (url) => (await fetch(`${url}/metrics`)).text()));
    exported = new Map(texts.flatMap(metricsOf).map((metric) => [metric.name, metric]));
  }, 90_000);
  afterAll(async () => {
    await billing?.service.stop();
    await api?.service.stop();
    await ground.close();
  }, 30_000);

  /** Whether a query may ask for the name: a histogram is asked for by its parts. */
  const isExported = (name: string): boolean => {
    const parts = /^(.*)_(?:bucket|sum|count)$/.exec(name)?.[1];
    const whole = exported.get(parts ?? name);
    if (parts !== undefined && whole !== undefined) return whole.type === 'histogram' || whole.type === 'summary';
    const metric = exported.get(name);
    return metric !== undefined && metric.type !== 'histogram' && metric.type !== 'summary';
  };

  it.each([
    ['the dashboard', ['deploy/grafana/keyfare.json']],
    ['the alerts', ['deploy/prometheus/rules.yml']],
    ['the tests of the alerts', ['deploy/prometheus/rules.test.yml']],
  ])('finds every metric that %s ask for in what the programs export', (_what, paths) => {
    const asked = paths.flatMap((path) => namesIn(read(path)));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((name) => !isExported(name))).toEqual([]);
  });

  it('finds every metric that the runbooks name', () => {
    const folder = 'docs/runbooks';
    const asked = readdirSync(join(root, folder)).flatMap((file) =>
      [...read(`${folder}/${file}`).matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => namesIn(code)),
    );
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((name) => !exported.has(name))).toEqual([]);
  });

  it('finds every alert with a runbook that is there and names it', () => {
    const rules = read('deploy/prometheus/rules.yml');
    const alerts = [...rules.matchAll(/- alert: (\w+)[\s\S]*?runbook_url: (\S+)/g)];
    expect(alerts).toHaveLength(rules.match(/- alert:/g)?.length ?? 0);
    for (const [, , runbook = ''] of alerts) expect(read(runbook)).toMatch(/^# /);
  });

  it('finds every metric of ours in docs/watching.md, with its type and its help, and none that is gone', () => {
    const ours = [...exported.values()].filter(({ name }) => name.startsWith('keyfare_'));
    const rows = [...read('docs/watching.md').matchAll(/^\| `(keyfare_\w+)` \| (\w+) \| (.+?) \|$/gm)];
    const told = rows.map(([, name = '', type = '', help = '']) => ({ name, type, help }));
    const byName = (one: Metric, other: Metric): number => one.name.localeCompare(other.name);
    expect(told.toSorted(byName)).toEqual(ours.toSorted(byName));
    for (const { help } of ours) expect(help).not.toBe('');
  });

  it('sees figures of the rail: gas for settlements, places, pools, stages, statements and questions to the node', () => {
    const [ofApi = '', ofBilling = ''] = texts;
    const network = 'network="eip155:84532"';
    for (const line of [
      `keyfare_settler_funds{${network}} 2`,
      'keyfare_up{part="database"} 1',
      'keyfare_up{part="listener"} 1',
      'keyfare_up{part="chain"} 1',
      'keyfare_breaker_open 0',
      'keyfare_stage_duration_seconds_count{rail="key",stage="handler"} 1',
      'keyfare_stage_duration_seconds_count{rail="none",stage="quote"} 1',
      'keyfare_sql_duration_seconds_count{statement="keyfare_post_key_calls"} 1',
      'keyfare_refusals_total{code="payment/required"} 1',
    ]) {
      expect(ofApi.split('\n')).toContain(line);
    }
    expect(ofApi).toMatch(new RegExp(`^keyfare_settler_settlements_left\\{${network}\\} [1-9]`, 'm'));
    expect(ofApi).toMatch(/^keyfare_sequencer_lag_seconds \d/m);
    expect(ofApi).toMatch(
      new RegExp(`^keyfare_rpc_duration_seconds_count\\{${network},method="eth_getBalance"\\} [1-9]`, 'm'),
    );
    expect(ofApi).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    for (const line of ['keyfare_billing_up{part="feed"} 1', 'keyfare_billing_intake_lag_entries 0']) {
      expect(ofBilling.split('\n')).toContain(line);
    }
    expect(ofBilling).toMatch(/^keyfare_billing_last_place [1-9]/m);
    expect(ofBilling).toMatch(/^keyfare_billing_reconciliation_last_timestamp_seconds 1\.?\d/m);
  });

  it('is told the rail by /readyz', async () => {
    expect(await readiness(api)).toMatchObject({
      status: 'ready',
      reasons: [],
      database: 'up',
      listener: 'up',
      chain: 'up',
      rail: {
        settlers: {
          'eip155:84532': { funds: 'ok', settlementsLeft: expect.any(Number), queued: 0, underWay: 0, toCollect: 0 },
        },
        breaker: { open: false, payers: 0 },
        sequencer: { lagSeconds: expect.any(Number), unplaced: expect.any(Number) },
        posts: { key: 0, paid: 0 },
      },
    });
  });
});

describe('an operator who looks at how things are', () => {
  let ground: Ground;
  let api: Api;
  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
  }, 60_000);
  afterAll(async () => {
    await api?.service.stop();
    await ground.close();
  }, 30_000);

  it('sees the chain, the settler, what is open and of whom, the sequencer and who is blocked', async () => {
    const asset = '0x036cbd53842c5426634e7929541ec2318f3dcf7e';
    const payers = ['a', 'b'].map((digit) => `0x${digit.repeat(40)}`);
    for (const [index, payer] of payers.entries()) {
      await adminQuery(
        ground.database.url,
        'insert into keyfare.payer_exposure (network, asset, payer, open) values ($1, $2, $3, $4)',
        ['eip155:84532', asset, payer, 300 + index],
      );
    }
    await adminQuery(
      ground.database.url,
      `insert into keyfare.blocked_payer (payer, reason, blocked_at) values ($1, 'a thief', now())`,
      [payers[0]],
    );
    await readiness(api);
    const call = operating(api.url, await operatorToken(ground, api));
    const { status, body } = await call('GET', '/admin/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      process: { version: expect.stringMatching(/^\d+\.\d+\.\d+/), listening: true },
      database: { state: 'available', replicas: 1 },
      networks: [
        {
          network: 'eip155:84532',
          payTo: ground.payTo,
          node: { state: 'available', block: expect.stringMatching(/^\d+$/), gasPrice: expect.stringMatching(/^\d+$/) },
          aboveCeiling: false,
          settler: { funds: 'ok', balance: expect.stringMatching(/^\d+$/), minedNonce: '0', refused: false, queued: 0 },
        },
      ],
      payments: { state: 'available', open: [] },
      exposure: {
        payers: [
          { payer: payers[1], asset: 'USDC', open: '301', limit: '1000000' },
          { payer: payers[0], asset: 'USDC', open: '300', limit: '1000000' },
        ],
      },
      breaker: { open: false, until: null, payers: 0, refused: [] },
      sequencer: { state: 'available', isThisProcess: true, lastPlace: '0', unplaced: 0 },
      blockedPayers: { count: 1, latest: [{ payer: payers[0], reason: 'a thief' }] },
    });
  });
});

describe('an operator who looks at a payment', () => {
  let ground: Ground;
  let api: Api;
  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
  }, 60_000);
  afterAll(async () => {
    await api?.service.stop();
    await ground.close();
  }, 30_000);

  it('sees its life step by step, where it is in the chain, and what else its transaction moves', async () => {
    const payer = await fundedPayer(ground.chain, 3);
    const payload = await signAuthorization({ payer, to: ground.payTo, value: 1_000n });
    const path = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';
    const accepted = usdcRequirements(ground.payTo, 1_000n);
    const paid = await fetch(api.url + path, {
      headers: { 'payment-signature': paymentHeaderV2({ payload, accepted }) },
    });
    const id = paid.headers.get('receipt-id') ?? '';
    expect([paid.status, id]).toEqual([200, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    const call = operating(api.url, await operatorToken(ground, api));
    const { body, status } = await call('GET', `/admin/payments/${id}`);
    expect(status).toBe(200);
    const { transaction } = body as { transaction: string };
    expect(body).toMatchObject({
      id,
      batchSize: 1,
      chain: {
        state: 'available',
        block: expect.stringMatching(/^\d+$/),
        blockAt: expect.stringMatching(/Z$/),
        confirmations: expect.stringMatching(/^\d+$/),
        succeeded: true,
      },
    });
    const { steps } = body as { steps: { step: string; at: string | null; transaction: string | null }[] };
    expect(steps.slice(0, 3)).toMatchObject([
      { step: 'claimed', at: expect.any(String), transaction: null },
      { step: 'sent', at: expect.any(String), transaction },
      { step: 'mined', at: expect.any(String), transaction },
    ]);
    const listed = async (query: string): Promise<readonly string[]> =>
      ((await call('GET', `/admin/payments?${query}`)).body['items'] as { id: string }[]).map((one) => one.id);
    expect(await listed(`transaction=${transaction.toUpperCase().replace('0X', '0x')}`)).toEqual([id]);
    expect(await listed(`transaction=0x${'0'.repeat(64)}`)).toEqual([]);
    expect(await listed('account=acct_nobody')).toEqual([]);
    expect((await call('GET', '/admin/payments?transaction=0x1')).status).toBe(400);
  }, 60_000);
});

describe('who watches an API whose parts do not answer', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await openGround();
  }, 60_000);
  afterAll(async () => ground.close(), 30_000);

  it('gets its figures from a process whose node takes questions and never answers', async () => {
    const mute = await openMute();
    const api = await startApi(ground, { RPC_URL: mute.url, RPC_TIMEOUT_MS: '2000' });
    const text = await (await fetch(`${api.url}/metrics`)).text();
    expect(text).toContain('keyfare_up{part="database"} 1');
    // It is not known, and so it is not shown.
    expect(text).not.toMatch(/^keyfare_settler_funds\{/m);
    expect(text).not.toMatch(/^keyfare_settler_settlements_left\{/m);
    const ready = await fetch(`${api.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'degraded', reasons: ['chain-down'] });
    const call = operating(api.url, await operatorToken(ground, api));
    const began = performance.now();
    expect((await call('GET', '/admin/status')).body).toMatchObject({
      database: { state: 'available' },
      networks: [{ node: { state: 'unavailable' }, aboveCeiling: null, settler: { balance: null, queued: 0 } }],
      sequencer: { state: 'available' },
    });
    expect(performance.now() - began).toBeLessThan(20_000);
    await api.service.stop();
    await mute.close();
  }, 60_000);

  it('is told settler-low below SETTLER_LOW_SETTLEMENTS', async () => {
    const port = await choosePort();
    const api = await startApi(ground, { SETTLER_LOW_SETTLEMENTS: '1000000', PORT: String(port) });
    // What is asked for the first time may not have answered in its time.
    let ready: unknown;
    for (const end = Date.now() + 25_000; Date.now() < end; await new Promise((wake) => setTimeout(wake, 100))) {
      ready = await (await fetch(`${api.url}/readyz`)).json();
      if ((ready as { readonly reasons: readonly unknown[] }).reasons.includes('settler-low')) break;
    }
    expect(ready).toMatchObject({ status: 'degraded', reasons: ['settler-low'] });
    expect(await (await fetch(`${api.url}/metrics`)).text()).toContain(
      'keyfare_settler_funds{network="eip155:84532"} 1',
    );
    await api.service.stop();
  }, 60_000);
});
