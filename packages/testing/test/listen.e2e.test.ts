import { adminQuery } from '@keyfare/devstack/postgres';
import { GateModule, type GateOptions, type HostPool } from '@keyfare/gate/module';
import { GateConfig } from '@keyfare/gate/services';
import { Priced } from '@keyfare/gate/tariff';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Module, type Type } from '@nestjs/common';
import { startTestGate, type TestGate } from '../src/gate.js';

let gate: TestGate;

beforeAll(async () => {
  gate = await startTestGate({ network: 'base' });
}, 60_000);
afterAll(async () => await gate.stop());

@Controller()
class PoolController {
  @Priced({ sku: 'pooled', price: '$0.001' })
  @Get('pooled')
  pooled(): object {
    return { served: true };
  }
}

/** As an import does it: `forRoot` reads the environment now. */
async function load(): Promise<Type> {
  @Module({ imports: [GateModule.forRoot({ handlerTimeoutMs: 1_234 })] })
  class HostModule {}
  return HostModule;
}

describe('what a gate under test takes from whom', () => {
  it('a module that reads the environment when it is loaded finds the settings of the test, for as long as that takes', async () => {
    const { PAY_TO: before } = process.env;
    const { app, close } = await gate.listen(load);
    const config = app.get(GateConfig);
    expect([config.payTo.toLowerCase(), config.network.name]).toEqual([gate.env['PAY_TO'], 'base']);
    expect(config.handlerTimeoutMs).toBe(1_234);
    expect(process.env['PAY_TO']).toBe(before);
    await close();
  });

  it.each(['forRoot', 'forRootAsync'] as const)(
    'what a module says in code of databases, nodes and secrets does not count: %s',
    async (way) => {
      const production = {
        databaseUrl: 'postgres://api@127.0.0.1:1/production',
        migrationDatabaseUrl: 'postgres://owner@127.0.0.1:1/production',
        rpcUrl: 'http://127.0.0.1:1/',
        handlerTimeoutMs: 1_234,
      };
      const { app, close } = await gate.listen(async () => {
        const gateModule =
          way === 'forRoot'
            ? GateModule.forRoot(production)
            : GateModule.forRootAsync({ useFactory: () => production });
        @Module({ imports: [gateModule] })
        class HostModule {}
        return HostModule;
      });
      const { database, migrations, networks, handlerTimeoutMs, clock } = app.get(GateConfig);
      expect([database, migrations]).toEqual([{ url: gate.databaseUrl }, { url: gate.databaseUrl }]);
      expect(networks.map(({ rpcUrl }) => rpcUrl)).toEqual([gate.chain.rpcUrl]);
      expect([handlerTimeoutMs, clock]).toEqual([1_234, gate.clock]);
      await close();
    },
  );

  it('no setting of the shell leads a gate to another database or wallet', async () => {
    const foreign = {
      MIGRATION_DATABASE_URL: 'postgres://owner@127.0.0.1:1/production',
      DIRECT_DATABASE_URL: 'postgres://api@127.0.0.1:1/production',
      SETTLER_PREVIOUS_KEYS: `0x${'1'.repeat(64)}`,
      NETWORKS: 'polygon',
      RPC_URL_POLYGON: 'http://127.0.0.1:1/',
    };
    Object.assign(process.env, foreign);
    try {
      const { app, close } = await gate.listen(load);
      const { database, migrations, networks } = app.get(GateConfig);
      expect([database, migrations]).toEqual([{ url: gate.databaseUrl }, { url: gate.databaseUrl }]);
      expect(networks.map(({ network, previousSettlerKeys }) => [network.name, previousSettlerKeys])).toEqual([
        ['base', []],
      ]);
      await close();
    } finally {
      for (const name of Object.keys(foreign)) delete process.env[name];
    }
  });

  it('applications that start at once leave the environment as it was', async () => {
    const before = { ...process.env };
    const first = gate.listen(load);
    const second = gate.listen(async () => {
      await first;
      return await load();
    });
    const started = await Promise.all([first, second]);
    expect({ ...process.env }).toEqual(before);
    for (const { close } of started) await close();
  });

  it('the gate of a module with a pool of its own asks the database of the test, and never that pool', async () => {
    let asked = 0;
    const query = (): never => {
      asked += 1;
      throw new Error('the pool of the host was asked');
    };
    const pool = { options: {}, query, connect: query } as unknown as HostPool;
    const useFactory = (): GateOptions => ({ pool, migrate: false });
    @Module({ imports: [GateModule.forRootAsync({ useFactory })], controllers: [PoolController] })
    class PoolModule {}
    const { url, app, close } = await gate.listen(PoolModule);
    expect(app.get(GateConfig).database).toEqual({ url: gate.databaseUrl });
    const key = await gate.issueKey({ includedUnits: 1, overage: 'reject' });
    expect((await key.fetch(`${url}/pooled`)).status).toBe(200);
    expect(asked).toBe(0);
    await close();
  });

  it('a module without a gate starts, and says so when a key is asked of it', async () => {
    @Module({})
    class EmptyModule {}
    const { close } = await gate.listen(EmptyModule);
    await expect(gate.issueKey()).rejects.toThrow('the application has no GateModule');
    await close();
  });

  it('stop drops the database and ends the node', async () => {
    const other = await startTestGate();
    await other.stop();
    await expect(fetch(other.chain.rpcUrl)).rejects.toThrow('fetch failed');
    await expect(adminQuery(other.databaseUrl, 'select 1')).rejects.toMatchObject({ code: '3D000' });
  });
});
