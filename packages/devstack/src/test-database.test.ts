import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { adminQuery } from './postgres/index.js';
import { createTestDatabase, startTestPostgres, stopTestPostgres, type TestDatabase } from './test-database.js';

const made: TestDatabase[] = [];
const module = new URL('./test-database.js', import.meta.url).href;

afterAll(async () => {
  await Promise.all(made.map(async (database) => await database.drop()));
});

async function create(options: Parameters<typeof createTestDatabase>[0] = {}): Promise<TestDatabase> {
  const database = await createTestDatabase(options);
  made.push(database);
  return database;
}

async function names(): Promise<string[]> {
  const { adminUrl } = await startTestPostgres();
  return (await adminQuery<{ name: string }>(adminUrl, 'select datname as name from pg_database')).map(
    ({ name }) => name,
  );
}

/** Another process that runs the lines, says "done", and stays. */
function runElsewhere(lines: string) {
  const program = `import { createTestDatabase, startTestPostgres } from ${JSON.stringify(module)};
    ${lines}
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('createTestDatabase', () => {
  it('gives every caller an empty database of its own on one shared server', async () => {
    const [first, second] = await Promise.all([create(), create()]);
    expect(first.adminUrl).toBe(second.adminUrl);
    await adminQuery(first.url, 'create table mine (value int)');
    expect(await adminQuery(second.url, `select to_regclass('mine') as found`)).toEqual([{ found: null }]);
    await first.drop();
    expect(await names()).not.toContain(first.name);
    expect(await names()).toContain(second.name);
  });

  it('migrates a template once and copies it for everybody, callers at the same time included', async () => {
    let migrations = 0;
    const migrate = async (url: string) => {
      migrations += 1;
      await adminQuery(url, `create table counted as select ${String(migrations)} as value`);
    };
    const template = { name: 'once', migrate };
    const databases = await Promise.all([create({ template }), create({ template }), create({ template })]);
    databases.push(await create({ template }));
    const rows = await Promise.all(
      databases.map(async ({ url }) => await adminQuery(url, 'select value from counted')),
    );
    expect(rows).toEqual(databases.map(() => [{ value: 1 }]));
    expect(migrations).toBe(1);
  });

  it('keeps a versioned template for other processes, and makes another when the version changes', async () => {
    const calls: string[] = [];
    const versioned = (version: string) => ({
      template: {
        name: 'versioned',
        version,
        migrate: async (url: string) => {
          calls.push(version);
          await adminQuery(url, `create table made as select '${version}' as by`);
        },
      },
    });
    const mark = String(process.pid);
    const first = await create(versioned(`1-${mark}`));
    const child = runElsewhere(`
      const database = await createTestDatabase({ template: { name: 'versioned', version: '1-${mark}', migrate: () => {
        throw new Error('migrated again');
      } } });
      await database.drop();
      console.log('done');`);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const second = await create(versioned(`2-${mark}`));
    expect(await adminQuery(first.url, 'select by from made')).toEqual([{ by: `1-${mark}` }]);
    expect(await adminQuery(second.url, 'select by from made')).toEqual([{ by: `2-${mark}` }]);
    expect(calls).toEqual([`1-${mark}`, `2-${mark}`]);
    expect((await names()).filter((name) => name.startsWith('tpl_versioned_v'))).toHaveLength(1);
  }, 30_000);

  it('makes a template again after a migration that failed', async () => {
    let attempts = 0;
    const template = {
      name: 'flaky',
      migrate: async (url: string) => {
        attempts += 1;
        await adminQuery(url, 'create table half_done (value int)');
        if (attempts === 1) throw new Error('the migration failed');
      },
    };
    await expect(create({ template })).rejects.toThrow('the migration failed');
    await create({ template });
    expect(attempts).toBe(2);
  });

  it('removes the databases of a process that was killed, and none of a living one', async () => {
    const dead = runElsewhere('console.log((await createTestDatabase()).name);');
    const living = runElsewhere('console.log((await createTestDatabase()).name);');
    const [deadName, livingName] = await Promise.all(
      [dead, living].map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
    );
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    await create();
    expect(await names()).not.toContain(deadName);
    expect(await names()).toContain(livingName);
    expect(await stopTestPostgres()).toBe(false); // somebody is still testing
    living.kill('SIGKILL');
    await once(living, 'exit');
  }, 30_000);

  it('starts one server for several processes that need it at once', async () => {
    const children = Array.from({ length: 3 }, () =>
      runElsewhere('const server = await startTestPostgres(); console.log(server.port);'),
    );
    const ports = await Promise.all(
      children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
    );
    for (const child of children) child.kill('SIGKILL');
    expect(new Set([...ports, String((await startTestPostgres()).port)]).size).toBe(1);
  }, 30_000);

  it('refuses a template name that could be taken for another kind of database', async () => {
    await expect(create({ template: { name: 'No;', migrate: async () => await Promise.resolve() } })).rejects.toThrow(
      TypeError,
    );
  });
});
