import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { ConfigurationError, GateModule, type GateOptions, type GateOptionsFactory } from '../src/module.js';
import { GateConfig, KeyService } from '../src/services.js';
import { type Ground, openGround, TestController } from './gate-under-test.js';
import { type Host, issueKey, optionsOf, startHost } from './host-under-test.js';
import { call, withKey } from './requests.js';

let ground: Ground;
const hosts: Host[] = [];

beforeAll(async () => {
  ground = await openGround();
}, 60_000);
afterEach(async () => {
  await Promise.all(hosts.splice(0).map(async (host) => host.close()));
});
afterAll(async () => {
  await ground.close();
});

async function start(parts: Parameters<typeof startHost>[0]): Promise<Host> {
  const host = await startHost(parts);
  hosts.push(host);
  return host;
}

/** Where a host keeps its settings. */
@Injectable()
class Settings {
  of(name: 'gate'): GateOptions {
    return name === 'gate' ? optionsOf(ground) : {};
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class GateSettings implements GateOptionsFactory {
  constructor(private readonly settings: Settings) {}

  async createGateOptions(): Promise<GateOptions> {
    return Promise.resolve(this.settings.of('gate'));
  }
}

@Module({ imports: [SettingsModule], providers: [GateSettings], exports: [GateSettings] })
class GateSettingsModule {}

describe('a gate whose options come later', () => {
  it.each([
    [
      'a factory',
      () =>
        GateModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: async (settings: Settings) => Promise.resolve(settings.of('gate')),
        }),
    ],
    ['a class', () => GateModule.forRootAsync({ imports: [SettingsModule], useClass: GateSettings })],
    ['a provider', () => GateModule.forRootAsync({ imports: [GateSettingsModule], useExisting: GateSettings })],
  ])('serves a key when they come from %s', async (_what, gate) => {
    const host = await start({ imports: [gate()] });
    expect((await call(host, '/ping', withKey(await issueKey(host)))).status).toBe(200);
    expect((await call(host, '/ping')).status).toBe(402);
  });

  it('does not start when they are wrong, and tells every fault by the name of its option', async () => {
    const { payTo: _, ...rest } = optionsOf(ground);
    const wrong = { ...rest, isGlobal: false, batchSize: 0 } as GateOptions;
    const refused = start({ imports: [GateModule.forRootAsync({ useFactory: () => wrong })] });
    const error = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    const [first, ...others] = (error as ConfigurationError).faults;
    expect(first).toBe('isGlobal is no option of the gate');
    expect(others.map((fault) => fault.split(' ', 1)[0])).toEqual(['payTo', 'batchSize']);
  });

  it('must have exactly one source of them', () => {
    expect(() => GateModule.forRootAsync({} as never)).toThrow('exactly one of useFactory, useClass and useExisting');
    const two = { useFactory: () => ({}), useClass: GateSettings } as never;
    expect(() => GateModule.forRootAsync(two)).toThrow('exactly one of useFactory, useClass and useExisting');
  });
});

describe('the services of a gate', () => {
  @Injectable()
  class Shop {
    constructor(readonly keys: KeyService) {}
  }

  it.each([
    ['forRoot', (isGlobal: boolean) => GateModule.forRoot({ ...optionsOf(ground), isGlobal })],
    ['forRootAsync', (isGlobal: boolean) => GateModule.forRootAsync({ isGlobal, useFactory: () => optionsOf(ground) })],
  ])(
    'of %s are for every module, or where that is not said only for those that import the gate',
    async (_way, make) => {
      const shop = (imports: readonly ReturnType<typeof make>[]) => ({
        module: class {},
        imports: [...imports],
        providers: [Shop],
      });
      await start({ imports: [make(true), shop([])] });
      const alone = make(false);
      await expect(start({ imports: [alone, shop([])] })).rejects.toThrow(/KeyService/);
      const gate = make(false);
      const host = await start({ imports: [gate, shop([gate])] });
      expect(host.app.get(Shop, { strict: false }).keys).toBe(host.app.get(KeyService));
    },
  );
});

describe('an application on Express', () => {
  it('does not start, and is told in one sentence what to do', async () => {
    @Module({ imports: [GateModule.forRoot(optionsOf(ground))], controllers: [TestController] })
    class ExpressHost {}
    const options = { logger: false, abortOnError: false } as const;
    await expect(NestFactory.create(ExpressHost, new ExpressAdapter(), options)).rejects.toThrow(
      'Keyfare needs Nest on Fastify, and this application is on Express: install @nestjs/platform-fastify, and create it ' +
        'with NestFactory.create(AppModule, new FastifyAdapter())',
    );
    await expect(NestFactory.createApplicationContext(ExpressHost, options)).rejects.toThrow(
      'Keyfare needs Nest on Fastify, and this application is without Fastify',
    );
  });
});

describe('a gate without an environment', () => {
  it('reads no variable of the process', async () => {
    const before = process.env['BATCH_SIZE'];
    process.env['BATCH_SIZE'] = 'not a number';
    try {
      const host = await start({ imports: [GateModule.forRoot(optionsOf(ground))] });
      expect(host.app.get(GateConfig).networks[0]?.batchSize).toBe(100);
      const { env: _, ...read } = optionsOf(ground);
      expect(() => GateModule.forRoot(read)).toThrow('BATCH_SIZE must be a number');
    } finally {
      if (before === undefined) delete process.env['BATCH_SIZE'];
      else process.env['BATCH_SIZE'] = before;
    }
  });
});
