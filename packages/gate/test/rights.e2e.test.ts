import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate, ownerDataSource, pendingGateMigrations } from '../src/database.js';
import { type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, withKey } from './requests.js';

const suffix = randomBytes(5).toString('hex');
const [owner, runner] = [`owner_${suffix}`, `runner_${suffix}`];
let ground: Ground;
let name: string;

function urlOf(login: string): string {
  const url = new URL(ground.database.url);
  url.pathname = `/${name}`;
  url.username = login;
  url.password = 'secret';
  return url.href;
}

beforeAll(async () => {
  ground = await openGround();
  name = `rights_${suffix}`;
  const { adminUrl } = ground.database;
  await rows(adminUrl, `create role ${owner} login password 'secret'`);
  await rows(adminUrl, `create role ${runner} login password 'secret'`);
  await rows(adminUrl, `create database ${name} owner ${owner}`);
}, 60_000);
afterAll(async () => {
  await rows(ground.database.adminUrl, `drop database ${name} with (force)`);
  for (const login of [owner, runner]) await rows(ground.database.adminUrl, `drop role ${login}`);
  await ground.close();
});

it('an owner without CREATEROLE migrates where the roles exist; then a login with the role alone starts a gate that serves', async () => {
  const [found] = await rows(
    ground.database.adminUrl,
    `select rolsuper or rolcreaterole as mighty from pg_roles where rolname = '${owner}'`,
  );
  expect(found).toEqual({ mighty: false });
  const count = (ownerDataSource(urlOf(owner)).options.migrations as unknown[]).length;
  expect(await pendingGateMigrations(urlOf(owner))).toHaveLength(count);
  expect(await migrateGate(urlOf(owner))).toHaveLength(count);

  // As its only setting, also where the other tests go through a pooler.
  const env = { DATABASE_URL: urlOf(runner), DIRECT_DATABASE_URL: '', MIGRATION_DATABASE_URL: '' };
  await expect(startGate(ground, { env })).rejects.toMatchObject({
    name: 'MissingRights',
    sentences: [expect.stringMatching(/may not read keyfare.migration.*MIGRATION_DATABASE_URL/)],
  });
  await rows(ground.database.adminUrl, `grant keyfare_gate to ${runner}`);
  const gate = await startGate(ground, { env });
  try {
    const { secret } = await gate.issueKey();
    expect(await call(gate, '/ping', withKey(secret))).toMatchObject({ status: 200 });
  } finally {
    await gate.close();
  }

  await rows(urlOf(owner), `delete from keyfare.migration where name like 'ShowAccountEnds%'`);
  await expect(startGate(ground, { env })).rejects.toMatchObject({
    name: 'MissingRights',
    sentences: [
      expect.stringContaining('A migration of the schema keyfare is pending from ShowAccountEnds'),
      expect.stringContaining(`belongs to ${owner} and not to the login ${runner}: migrate as ${owner}`),
    ],
  });
}, 60_000);
