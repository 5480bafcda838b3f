import { randomBytes } from 'node:crypto';
import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { createDataSource } from '../src/data-source.js';
import { migrate, pendingMigrations } from '../src/migrations.js';
import { asMissingRights, checkLogin } from '../src/rights.js';

const suffix = randomBytes(5).toString('hex');
const [owner, other, role] = [`owner_${suffix}`, `other_${suffix}`, `role_${suffix}`];
const schema = 'rights';
let database: TestDatabase;

class MakeTable1797000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table rights.t (id integer primary key)');
  }
  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

const admin = async (text: string): Promise<unknown> => adminQuery(database.url, text);

function urlOf(login: string, password = 'secret'): string {
  const url = new URL(database.url);
  url.username = login;
  url.password = password;
  return url.href;
}

async function as<T>(login: string, work: (dataSource: DataSource) => Promise<T>): Promise<T> {
  const settings = {
    url: urlOf(login),
    schema,
    entities: [],
    migrations: [MakeTable1797000000000],
    applicationName: 'rights',
  };
  const dataSource = await createDataSource(settings).initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** The sentences that a login is refused with. */
async function sentences(work: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await work.then(
    () => new Error('it was let in'),
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'MissingRights' });
  return (error as { sentences: readonly string[] }).sentences;
}

beforeAll(async () => {
  database = await createTestDatabase();
  for (const login of [owner, other]) await admin(`create role ${login} login password 'secret'`);
});
afterAll(async () => {
  await database.drop();
  for (const name of [owner, other, role]) await adminQuery(database.adminUrl, `drop role if exists ${name}`);
});

it('a login that may not migrate is told each right that it lacks with the statement that gives it, and with those it migrates', async () => {
  const said = await sentences(as(owner, (source) => migrate(source, schema, [role])));
  expect(said).toEqual([
    'A migration of the schema rights is pending from MakeTable1797000000000 on, and the login of MIGRATION_DATABASE_URL (or else DATABASE_URL) may not run it.',
    `The role ${role} is missing and the login ${owner} has no CREATEROLE: run \`create role ${role} nologin;\` as an administrator.`,
    `The schema rights is to be made and the login ${owner} has no CREATE on the database ${database.name}: run \`create schema rights authorization ${owner};\` as an administrator.`,
  ]);
  for (const statement of said.flatMap((text) => /`(.*)`/.exec(text)?.[1] ?? [])) await admin(statement);
  expect(await as(owner, (source) => pendingMigrations(source, schema))).toEqual(['MakeTable1797000000000']);
  expect(await as(owner, (source) => migrate(source, schema, [role]))).toEqual(['MakeTable1797000000000']);
  expect(await as(owner, (source) => migrate(source, schema, [role]))).toEqual([]);
});

it('a login that owns nothing starts while nothing is pending, and is told whose schema it is once something is', async () => {
  expect(await sentences(as(other, (source) => migrate(source, schema)))).toEqual([
    expect.stringContaining(`The login ${other} may not read rights.migration`),
  ]);
  await admin(`grant usage on schema rights to ${other}; grant select on rights.migration to ${other}`);
  expect(await as(other, (source) => migrate(source, schema))).toEqual([]);
  await admin('delete from rights.migration');
  expect(await sentences(as(other, (source) => migrate(source, schema)))).toEqual([
    expect.stringContaining('A migration of the schema rights is pending'),
    `The schema rights, or a part of it, belongs to ${owner} and not to the login ${other}: migrate as ${owner}, or run \`grant ${owner} to ${other};\` as an administrator.`,
  ]);
});

it('a login that may not take on its role is told so, and how it gets it', async () => {
  const check = async (isPooled: boolean, login = other): Promise<void> =>
    checkLogin({ url: urlOf(login), role, schema, isPooled });
  expect(await sentences(check(false))).toEqual([
    `The login ${other} may not take on the role ${role}: run \`grant ${role} to ${other};\` as an administrator.`,
  ]);
  // A membership of before PostgreSQL 16 is as its login was; since then it stays as it was granted.
  await admin(`alter role ${other} noinherit; grant ${role} to ${other}`);
  const [said = ''] = await sentences(check(true));
  await admin(/run `(.*)` as an administrator/.exec(said)?.[1] ?? '');
  await check(true);
  await admin(`grant ${role} to ${owner}`);
  await check(false);
  await check(true);
  const nobody = checkLogin({ url: urlOf(other), role: `no_${suffix}`, schema, isPooled: false });
  expect(await sentences(nobody)).toEqual([expect.stringContaining(`The role no_${suffix} is missing`)]);
});

it('behind a pooler the login of an administrator or of the owner is refused: nothing takes its rights away there', async () => {
  const check = async (url: string): Promise<void> => checkLogin({ url, role, schema, isPooled: true });
  expect(await sentences(check(urlOf(owner)))).toEqual([expect.stringContaining('the owner of the schema rights')]);
  expect(await sentences(check(database.url))).toEqual([expect.stringContaining('is a superuser')]);
});

it('a login that the server refuses is named, and its password is not', async () => {
  const wrong = urlOf(owner, 'mistaken-password');
  const [said] = await sentences(checkLogin({ url: wrong, role, schema, isPooled: false }));
  expect(said).toBe(`The login ${owner} is not let into ${new URL(wrong).host}/${database.name} with this password.`);
  const nowhere = new URL(urlOf(owner));
  nowhere.pathname = '/nowhere';
  expect(await sentences(checkLogin({ url: nowhere.href, role, schema, isPooled: false }))).toEqual([
    expect.stringContaining('/nowhere for it does not exist'),
  ]);
  const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  expect(asMissingRights(lost, wrong)).toBe(lost);
});
