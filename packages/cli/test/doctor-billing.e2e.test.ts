import type { Service } from '@keyfare/devstack/processes';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { examineBilling } from '../src/doctor/billing.js';
import type { Finding } from '../src/doctor/finding.js';
import { billingEnv, type Deployment, type Environment, openDeployment, startApi } from './deployment.js';
import { runCli } from './run-cli.js';

let deployment: Deployment;
let api: Service;
let env: Environment;

beforeAll(async () => {
  deployment = await openDeployment();
  api = await startApi(deployment);
  env = await billingEnv(deployment);
  await runCli(['migrate', '--billing'], env);
  for (const role of ['keyfare_billing', 'keyfare_billing_reader']) {
    await deployment.sql(`grant ${role} to ${deployment.logins.billing}`);
  }
}, 90_000);
afterAll(async () => {
  await api.stop();
  await deployment.close();
}, 30_000);

async function troubles(change: Environment = {}): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of examineBilling({ env: { ...env, ...change }, now: () => new Date(), skip: [] })) {
    if (finding.status !== 'ok') findings.push(finding);
  }
  return findings;
}

it('finds nothing wrong with a healthy billing, and ends with 0', async () => {
  await deployment.chain.mine();
  const { code, stdout } = await runCli(['doctor', '--billing', '--json'], env);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(code).toBe(0);
});

it('tells each right on the log that billing lacks, with the grant', async () => {
  await deployment.chain.mine();
  await deployment.sql('revoke select on keyfare.entry_feed from keyfare_billing_reader');
  try {
    expect(await troubles()).toEqual([
      expect.objectContaining({
        name: 'feed.rights',
        status: 'fail',
        remedy: expect.stringContaining('grant select on keyfare.entry_feed to keyfare_billing_reader;'),
      }),
    ]);
  } finally {
    await deployment.sql('grant select on keyfare.entry_feed to keyfare_billing_reader');
  }
});

it('tells the migrations that are pending, with the command that runs them', async () => {
  await deployment.chain.mine();
  const [last] = await deployment.sql('select name from billing.migration order by timestamp desc limit 1');
  await deployment.sql('update billing.migration set name = $1 where name = $2', ['another', last?.['name']]);
  try {
    expect(await troubles()).toEqual([
      expect.objectContaining({
        name: 'database.migrations',
        status: 'fail',
        found: `1 migration is pending, from ${String(last?.['name'])} on`,
        remedy: expect.stringContaining('keyfare migrate --billing'),
      }),
    ]);
  } finally {
    await deployment.sql('update billing.migration set name = $2 where name = $1', ['another', last?.['name']]);
  }
});

it('warns of a right to write what billing judges', async () => {
  await deployment.chain.mine();
  await deployment.sql('grant insert on keyfare.plan to keyfare_billing_reader');
  try {
    expect(await troubles()).toEqual([
      expect.objectContaining({
        name: 'feed.reads-only',
        status: 'warn',
        found: "keyfare_billing_reader may write 1 tables of the API's, such as keyfare.plan",
        remedy: expect.stringContaining('revoke insert, update, delete'),
      }),
    ]);
  } finally {
    await deployment.sql('revoke insert on keyfare.plan from keyfare_billing_reader');
  }
});

it('tells that the login may not run in the role of the books, and the grant', async () => {
  await deployment.chain.mine();
  const { billing } = deployment.logins;
  await deployment.sql(`revoke keyfare_billing from ${billing}`);
  try {
    expect(await troubles()).toContainEqual(
      expect.objectContaining({
        name: 'database.role',
        status: 'fail',
        remedy: expect.stringContaining(`grant keyfare_billing to ${billing};`),
      }),
    );
  } finally {
    await deployment.sql(`grant keyfare_billing to ${billing}`);
  }
});

it('tells that the keys of the API, or the node, are not where the settings say', async () => {
  const found = await troubles({ API_JWKS_URL: 'http://127.0.0.1:9/jwks.json', RPC_URL: 'http://127.0.0.1:9' });
  expect(found).toEqual([
    expect.objectContaining({
      name: 'network.base-sepolia.node',
      status: 'fail',
      remedy: expect.stringContaining('RPC_URL'),
    }),
    expect.objectContaining({ name: 'service.keys', status: 'fail', remedy: expect.stringContaining('API_JWKS_URL') }),
  ]);
});
