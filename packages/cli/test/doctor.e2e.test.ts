import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import { choosePort } from '@keyfare/devstack/ports';
import type { Service } from '@keyfare/devstack/processes';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { eurcAddress, installEurc, installUsdc, usdcAddress } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { openTcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { Finding } from '../src/doctor/finding.js';
import { gateRights } from '../src/doctor/rights.js';
import { examineApi } from '../src/doctor/run.js';
import { openDeafWire } from './deaf-wire.js';
import { type Deployment, newSigningKey, openDeployment, startApi } from './deployment.js';
import { runCli } from './run-cli.js';

let deployment: Deployment;
let api: Service;
let proxy: Proxy;

beforeAll(async () => {
  deployment = await openDeployment();
  proxy = await openProxy(deployment.chain.rpcUrl);
  api = await startApi(deployment);
}, 90_000);
afterEach(() => proxy.reset());
afterAll(async () => {
  await api.stop();
  await proxy.close();
  await deployment.close();
}, 30_000);

/** Every finding, of the deployment with this changed. */
async function examine(
  change: Readonly<Record<string, string>> = {},
  { now = () => new Date(), skip = [] }: { now?: () => Date; skip?: readonly string[] } = {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of examineApi({ env: { ...deployment.env, ...change }, now, skip })) findings.push(finding);
  return findings;
}

/** Those that are not well, of these groups. */
async function troubles(
  change: Readonly<Record<string, string>>,
  only: 'database' | 'network' | 'service',
  now?: () => Date,
): Promise<readonly Finding[]> {
  const skip = ['database', 'network', 'service'].filter((group) => group !== only);
  const findings = await examine(change, { skip, ...(now === undefined ? {} : { now }) });
  return findings.filter(({ name, status }) => status !== 'ok' && !skip.includes(name));
}

/** Runs the work with the statement done, as the superuser, and undone. */
async function broken<T>(breaks: string, mends: string, work: () => Promise<T>): Promise<T> {
  await deployment.sql(breaks);
  try {
    return await work();
  } finally {
    await deployment.sql(mends);
  }
}

it('finds nothing wrong with a whole healthy deployment, and ends with 0', async () => {
  await deployment.chain.mine();
  const { code, stdout, stderr } = await runCli(['doctor', '--json'], deployment.env);
  const report = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(report.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect({ code, ok: report.ok, stderr }).toEqual({ code: 0, ok: true, stderr: '' });
  expect(report.findings.map(({ name }) => name)).toEqual([
    'settings',
    'database',
    'database.version',
    'database.role',
    'database.migrations',
    'database.owner',
    'database.rights',
    'database.listen',
    'database.clock',
    'database.partitions',
    'keys.peppers',
    'keys.environment',
    'keys.receipt',
    'keys.signers',
    'network.base-sepolia.payee',
    'network.base-sepolia.node',
    'network.base-sepolia.chain-id',
    'network.base-sepolia.latency',
    'network.base-sepolia.batch',
    'network.base-sepolia.head',
    'network.base-sepolia.gas',
    'network.base-sepolia.token',
    'network.base-sepolia.token-eurc',
    'network.base-sepolia.batch-contract',
    'service.https',
    'service.health',
    'service.keys',
  ]);
}, 30_000);

it('never shows a secret, whether all is well or everything is wrong', async () => {
  const secrets = ['SETTLER_PRIVATE_KEY', 'RECEIPT_SIGNING_KEY', 'API_KEY_PEPPERS', 'BOOTSTRAP_TOKEN'].map(
    (name) => deployment.env[name] ?? '',
  );
  const words = [
    'a-password-of-the-test',
    'a-key-of-the-provider',
    ...secrets,
    ...secrets.map((text) => text.slice(3, 30)),
  ];
  const unreachable = {
    DATABASE_URL: 'postgres://someone:a-password-of-the-test@127.0.0.1:9/nowhere',
    RPC_URL: 'http://127.0.0.1:9/v2/a-key-of-the-provider',
    PUBLIC_URL: 'http://127.0.0.1:9',
  };
  for (const change of [{}, unreachable, { DATABASE_URL: '', PAY_TO: 'nobody' }]) {
    const { stdout, stderr } = await runCli(['doctor'], { ...deployment.env, ...change });
    expect(words.filter((word) => `${stdout}${stderr}`.includes(word))).toEqual([]);
  }
}, 30_000);

it('names each setting that is wrong, and looks at nothing else before they are right', async () => {
  const findings = await examine({ PAY_TO: 'nobody', RPC_URL: '', API_KEY_PEPPERS: 'p1:short' });
  expect(findings.filter(({ name }) => name === 'settings').map(({ found }) => found)).toEqual([
    expect.stringContaining('PAY_TO must be an address'),
    'RPC_URL is missing',
    expect.stringContaining('API_KEY_PEPPERS must be id:secret pairs'),
  ]);
  expect(findings.at(-1)).toMatchObject({ status: 'skipped', found: 'the settings come first' });
});

describe('the database', () => {
  const expectOnly = async (found: Promise<readonly Finding[]>, name: string, words: RegExp, remedy: RegExp) =>
    expect((await found).filter(({ status }) => status !== 'skipped')).toEqual([
      expect.objectContaining({ name, found: expect.stringMatching(words), remedy: expect.stringMatching(remedy) }),
    ]);

  it('that is away is told with where it was looked for', async () => {
    const url = 'postgres://keyfare_api:secret@127.0.0.1:9/keyfare';
    const found = await troubles({ DATABASE_URL: url, MIGRATION_DATABASE_URL: '' }, 'database');
    expect(found[0]).toMatchObject({
      name: 'database',
      status: 'fail',
      found: '127.0.0.1:9/keyfare cannot be reached (ECONNREFUSED)',
      remedy: expect.stringContaining('start the server, or mend DATABASE_URL'),
    });
    expect(found[1]).toMatchObject({ name: 'database.migrations', status: 'fail' });
  });

  it('that lets the login not in is told by the login and never the password', async () => {
    const url = new URL(deployment.urlOf(deployment.logins.api));
    url.password = 'wrong';
    const [found] = await troubles({ DATABASE_URL: url.href }, 'database');
    expect(found).toMatchObject({
      name: 'database',
      status: 'fail',
      found: expect.stringContaining(`The login ${deployment.logins.api} is not let into`),
      remedy: expect.stringContaining('mend the login in DATABASE_URL'),
    });
  });

  it('whose login may not take on the role of the gate is told with the grant', async () => {
    const { api: login } = deployment.logins;
    const found = broken(`revoke keyfare_gate from ${login}`, `grant keyfare_gate to ${login}`, () =>
      troubles({}, 'database'),
    );
    await expectOnly(found, 'database.role', /may not take on the role keyfare_gate/, /grant keyfare_gate to api_/);
  });

  it.each([
    ['select on keyfare.plan', /may not select on keyfare\.plan/],
    ['update on keyfare.account', /may not update on keyfare\.account/],
    ['insert (kid) on keyfare.entry', /may not insert \(kid\) on keyfare\.entry/],
    ['execute on function keyfare.make_months()', /may not execute on keyfare\.make_months\(\)/],
  ])('without %s is told with the grant', async (right, words) => {
    const found = broken(`revoke ${right} from keyfare_gate`, `grant ${right} to keyfare_gate`, () =>
      troubles({}, 'database'),
    );
    await expectOnly(
      found,
      'database.rights',
      words,
      new RegExp(`grant ${right.replace(/[().]/g, '\\$&')} to keyfare_gate`),
    );
  });

  it('whose migrations are pending is told with the command that runs them', async () => {
    const [last] = await deployment.sql('select name from keyfare.migration order by timestamp desc limit 1');
    const name = String(last?.['name']);
    const found = broken(
      `update keyfare.migration set name = 'another' where name = '${name}'`,
      `update keyfare.migration set name = '${name}' where name = 'another'`,
      () => troubles({}, 'database'),
    );
    await expectOnly(
      found,
      'database.migrations',
      new RegExp(`1 migration is pending, from ${name} on`),
      /keyfare migrate/,
    );
  });

  it('whose login owns the tables is warned of', async () => {
    const { owner } = deployment.logins;
    const found = broken(`grant keyfare_gate to ${owner}`, `revoke keyfare_gate from ${owner}`, () =>
      troubles({ DATABASE_URL: deployment.urlOf(owner) }, 'database'),
    );
    await expectOnly(found, 'database.owner', /owns \d+ tables of keyfare/, /owns nothing/);
  });

  it('whose clock is another than this machine’s is told by how much', async () => {
    const late = () => new Date(Date.now() - 45_000);
    await expectOnly(troubles({}, 'database', late), 'database.clock', /4[0-5] s ahead of this machine's/, /NTP/);
    const early = () => new Date(Date.now() + 10_000);
    const [found] = await troubles({}, 'database', early);
    expect(found).toMatchObject({ name: 'database.clock', status: 'warn', found: expect.stringContaining('behind') });
  });

  it('behind a pooler that lets no notification through is told with the setting that goes past it', async () => {
    const wire = await openDeafWire(Number(new URL(deployment.database.url).port));
    try {
      const url = new URL(deployment.env['DATABASE_URL'] ?? '');
      url.port = String(wire.port);
      const found = troubles({ DATABASE_URL: url.href }, 'database');
      await expectOnly(found, 'database.listen', /no notification came back/, /DIRECT_DATABASE_URL/);
      const past = await troubles(
        { DATABASE_URL: url.href, DIRECT_DATABASE_URL: deployment.env['DATABASE_URL'] ?? '' },
        'database',
      );
      expect(past).toEqual([]);
    } finally {
      await wire.close();
    }
  }, 20_000);

  it('is asked for exactly the rights that the migrations grant', async () => {
    const granted = await deployment.sql(`
      select c.relname || ': ' || lower(a.privilege_type) as "right" from pg_class c, aclexplode(c.relacl) a
        where c.relnamespace = 'keyfare'::regnamespace and a.grantee = 'keyfare_gate'::regrole
      union all select c.relname || ': ' || lower(a.privilege_type) || ' ' || t.attname
        from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
        where c.relnamespace = 'keyfare'::regnamespace and a.grantee = 'keyfare_gate'::regrole
      union all select p.proname || '(): execute' from pg_proc p, aclexplode(p.proacl) a
        where p.pronamespace = 'keyfare'::regnamespace and a.grantee = 'keyfare_gate'::regrole`);
    const asked = gateRights.flatMap(({ object, privilege, columns }) =>
      (columns ?? ['']).map((column) => `${object}: ${privilege}${column === '' ? '' : ` ${column}`}`),
    );
    expect(asked.toSorted()).toEqual(granted.map((row) => String(row['right'])).toSorted());
  });

  it('that has no partition for the next month is told with what makes it', async () => {
    const [next] = await deployment.sql(
      `select 'entry_' || to_char((now() at time zone 'UTC') + interval '1 month', 'YYYY_MM') as name`,
    );
    const table = `keyfare.${String(next?.['name'])}`;
    const found = broken(
      `alter table ${table} rename to set_aside`,
      `alter table keyfare.set_aside rename to ${String(next?.['name'])}`,
      () => troubles({}, 'database'),
    );
    await expectOnly(found, 'database.partitions', /have no partition/, /select keyfare\.make_months\(\)/);
  });
});

describe('keys', () => {
  beforeAll(async () => {
    const env = { ...deployment.env, KEYFARE_API_URL: deployment.env['PUBLIC_URL'] };
    const run = async (line: string, token = ''): Promise<Record<string, unknown>> => {
      const { stdout } = await runCli([...line.split(' '), '--json'], { ...env, KEYFARE_OPERATOR_TOKEN: token });
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const made = await run('operators create test --scope read write money', deployment.env['BOOTSTRAP_TOKEN']);
    const token = String(made['token']);
    await run('plans create small --included-units 10 --overage reject', token);
    const account = await run('accounts create Acme --plan small', token);
    await run(`keys create ${String(account['id'])}`, token);
  });

  it('under a pepper that is not configured are told with the runbook', async () => {
    const change = { API_KEY_PEPPERS: `p2:${randomBytes(32).toString('base64url')}` };
    expect(await troubles(change, 'database')).toEqual([
      expect.objectContaining({
        name: 'keys.peppers',
        status: 'fail',
        found: expect.stringContaining('1 live secrets are hashed under the pepper p1'),
        remedy: expect.stringContaining('put p1 back behind the first of API_KEY_PEPPERS'),
      }),
    ]);
  });

  it('of the other environment are told, for they are refused here', async () => {
    expect(await troubles({ KEY_ENVIRONMENT: 'live' }, 'database')).toEqual([
      expect.objectContaining({
        name: 'keys.environment',
        status: 'warn',
        found: expect.stringContaining('1 live keys are of the other environment'),
        remedy: expect.stringContaining('set KEY_ENVIRONMENT to test'),
      }),
    ]);
  });

  it('of receipts that nobody published yet, and the one that signs instead, are told', async () => {
    expect(await troubles({ RECEIPT_SIGNING_KEY: newSigningKey() }, 'database')).toEqual([
      expect.objectContaining({
        name: 'keys.receipt',
        status: 'warn',
        remedy: expect.stringContaining('start the API'),
      }),
      expect.objectContaining({
        name: 'keys.signers',
        status: 'warn',
        found: expect.stringContaining('receipts were signed by did:web:127.0.0.1%3A'),
        remedy: expect.stringContaining('the same RECEIPT_SIGNING_KEY'),
      }),
    ]);
  });
});

describe('a network', () => {
  const on = async (change: Readonly<Record<string, string>>, now?: () => Date): Promise<readonly Finding[]> => {
    await deployment.chain.mine();
    return troubles(change, 'network', now);
  };

  it('whose node is away is told', async () => {
    expect(await on({ RPC_URL: 'http://127.0.0.1:9' })).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.node',
        status: 'fail',
        found: 'the node cannot be reached (ECONNREFUSED)',
        remedy: expect.stringContaining('start the node of base-sepolia'),
      }),
    ]);
  });

  it('whose node serves another chain is told both chain ids', async () => {
    const other = await startTestChain({ chainId: 8453 });
    try {
      expect(await on({ RPC_URL: other.rpcUrl })).toEqual([
        expect.objectContaining({
          name: 'network.base-sepolia.chain-id',
          status: 'fail',
          found: 'the node serves chain 8453, not 84532',
          remedy: 'name a node of base-sepolia in its RPC_URL',
        }),
      ]);
    } finally {
      await other.kill();
    }
  });

  it('whose node takes small batches is told how many calls, found in at most a dozen requests', async () => {
    proxy.rewrite = (answers) =>
      answers.length > 17 ? { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'batch too large' } } : answers;
    const found = await on({ RPC_URL: proxy.url });
    expect(found).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.batch',
        status: 'warn',
        found: 'it takes 17 calls in one request, not 300',
        remedy: expect.stringContaining('set RPC_BATCH_CALLS to 17'),
      }),
    ]);
    const probing = proxy.batches.filter((batch) => batch.every(({ method }) => method === 'eth_chainId'));
    expect(probing.length).toBeLessThanOrEqual(6 + 10);
  });

  it('whose node takes no batches at all is told', async () => {
    proxy.rewrite = (answers) =>
      answers.length > 1 ? { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'no batches' } } : answers;
    const [found] = await on({ RPC_URL: proxy.url });
    expect(found).toMatchObject({
      found: 'it takes no JSON-RPC batches',
      remedy: expect.stringContaining('RPC_BATCH_CALLS to 1'),
    });
  });

  it('whose node is slow is told its latency', async () => {
    proxy.handle = () => false;
    const answer = proxy.answer;
    proxy.answer = (call) => {
      if (call.method === 'eth_chainId') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 520);
      return answer(call);
    };
    const found = await on({ RPC_URL: proxy.url, RPC_BATCH_CALLS: '1' });
    expect(found).toContainEqual(
      expect.objectContaining({
        name: 'network.base-sepolia.latency',
        status: 'warn',
        remedy: 'use a node that is nearer',
      }),
    );
  }, 30_000);

  it('whose blocks are old, or ahead of this machine’s clock, is told', async () => {
    const later = () => new Date(Date.now() + 300_000);
    expect(await on({}, later)).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.head',
        status: 'warn',
        found: expect.stringMatching(/is 5 min old/),
        remedy: expect.stringContaining('follows the chain'),
      }),
    ]);
    const behind = () => new Date(Date.now() - 300_000);
    expect(await on({}, behind)).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.head',
        status: 'fail',
        found: expect.stringContaining("5 min ahead of this machine's clock"),
        remedy: expect.stringContaining('NTP'),
      }),
    ]);
  });

  it('whose settler has no gas is told its address and what to send it', async () => {
    const key = `0x${randomBytes(32).toString('hex')}`;
    expect(await on({ SETTLER_PRIVATE_KEY: key })).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.gas',
        status: 'fail',
        found: expect.stringMatching(/the settler 0x[0-9a-f]{40} has 0 of the chain's coin: gas for 0 settlements/),
        remedy: expect.stringMatching(/send it [\d.]+ of the chain's coin on base-sepolia/),
      }),
    ]);
  });

  it('whose payments go to the settler is told', async () => {
    expect(await on({ PAY_TO: deployment.settler })).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.payee',
        status: 'fail',
        remedy: 'set PAY_TO to a wallet whose key is on no server',
      }),
    ]);
  });

  it('whose token has another EIP-712 domain, or is no contract, is told', async () => {
    const { rpcUrl } = deployment.chain;
    const code = await callRpc(rpcUrl, 'eth_getCode', [usdcAddress, 'latest']);
    try {
      // push32 1, mstore at 0, return it: a contract that answers every call with the number one.
      await callRpc(rpcUrl, 'anvil_setCode', [usdcAddress, '0x600160005260206000f3']);
      const [other] = await on({});
      expect(other).toMatchObject({
        name: 'network.base-sepolia.token',
        status: 'fail',
        found: expect.stringContaining('another EIP-712 domain than "USDC" version "2"'),
        remedy: expect.stringContaining('name a node of the real base-sepolia'),
      });
      await callRpc(rpcUrl, 'anvil_setCode', [usdcAddress, '0x']);
      const [none] = await on({});
      expect(none).toMatchObject({
        name: 'network.base-sepolia.token',
        status: 'fail',
        found: expect.stringContaining('no contract at'),
      });
      await callRpc(rpcUrl, 'anvil_setCode', [usdcAddress, '0x60006000fd']);
      const [silent] = await on({});
      expect(silent).toMatchObject({
        name: 'network.base-sepolia.token',
        status: 'warn',
        remedy: expect.stringContaining('by hand'),
      });
    } finally {
      await callRpc(rpcUrl, 'anvil_setCode', [usdcAddress, code]);
      await installUsdc(rpcUrl);
    }
  });

  it('whose EURC has another EIP-712 domain, or is no contract, is told, and its USDC is fine', async () => {
    const { rpcUrl } = deployment.chain;
    try {
      await installUsdc(rpcUrl, eurcAddress);
      expect(await on({})).toEqual([
        expect.objectContaining({
          name: 'network.base-sepolia.token-eurc',
          status: 'fail',
          found: expect.stringContaining('another EIP-712 domain than "EURC" version "2"'),
        }),
      ]);
      await callRpc(rpcUrl, 'anvil_setCode', [eurcAddress, '0x']);
      expect(await on({})).toEqual([
        expect.objectContaining({
          name: 'network.base-sepolia.token-eurc',
          status: 'warn',
          remedy: expect.stringContaining('offer no EURC'),
        }),
      ]);
    } finally {
      await installEurc(rpcUrl);
    }
  });

  it('whose batch contract has no code is told', async () => {
    const address = `0x${randomBytes(20).toString('hex')}`;
    expect(await on({ BATCH_CONTRACT: address })).toEqual([
      expect.objectContaining({
        name: 'network.base-sepolia.batch-contract',
        status: 'fail',
        found: `there is no contract at ${address}`,
        remedy: expect.stringContaining('set BATCH_CONTRACT'),
      }),
    ]);
    expect(await on({ BATCH_CONTRACT: 'none' })).toEqual([]);
  });
});

it('whose database is lost while it is looked at gets one more finding, and no broken report', async () => {
  const wire = await openTcpProxy(Number(new URL(deployment.database.url).port));
  try {
    const url = new URL(deployment.env['DATABASE_URL'] ?? '');
    url.port = String(wire.port);
    const env = { ...deployment.env, DATABASE_URL: url.href };
    const findings: Finding[] = [];
    for await (const finding of examineApi({ env, now: () => new Date(), skip: ['network', 'service'] })) {
      findings.push(finding);
      if (finding.name === 'database.owner') wire.cut();
    }
    expect(findings.filter(({ status }) => status === 'fail')).toEqual([
      expect.objectContaining({
        name: 'database',
        found: expect.stringContaining('could not be looked at to the end'),
      }),
    ]);
  } finally {
    await wire.close();
  }
});

describe('the public URL', () => {
  it('that nobody answers at is told', async () => {
    const url = `http://127.0.0.1:${await choosePort()}`;
    expect(await troubles({ PUBLIC_URL: url }, 'service')).toEqual([
      expect.objectContaining({
        name: 'service.health',
        status: 'fail',
        remedy: expect.stringContaining('start the API'),
      }),
    ]);
  });

  it('at which something else answers is told', async () => {
    proxy.handle = (_incoming, response) => {
      response.end('hello');
      return true;
    };
    const [found] = await troubles({ PUBLIC_URL: new URL(proxy.url).origin }, 'service');
    expect(found).toMatchObject({ name: 'service.health', status: 'fail' });
  });

  it('at which another key signs is told', async () => {
    expect(await troubles({ RECEIPT_SIGNING_KEY: newSigningKey() }, 'service')).toEqual([
      expect.objectContaining({
        name: 'service.keys',
        status: 'fail',
        found: expect.stringContaining('does not have the key of RECEIPT_SIGNING_KEY'),
        remedy: expect.stringContaining('set PUBLIC_URL to the origin of this deployment'),
      }),
    ]);
  });

  it('that is not encrypted in production is told', async () => {
    const change = { NODE_ENV: 'production', PUBLIC_URL: 'http://0.0.0.0:9' };
    expect(await troubles(change, 'service')).toContainEqual(
      expect.objectContaining({
        name: 'service.https',
        status: 'fail',
        remedy: expect.stringContaining('https into PUBLIC_URL'),
      }),
    );
  });
});
