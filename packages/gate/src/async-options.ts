import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import { GateConfig, readGateConfig } from './config.js';
import type { GateOptions } from './options.js';

/**
 * Injection token of a function from the options of a gate to those that it shall have: for tests, which give a gate
 * their own database and node whatever its module says. A global module provides it. The symbol is registered, so that
 * a second copy of this package reads it too: else its gate would go to the database that the module names.
 */
export const gateOverride = Symbol.for('keyfare:gate-override');

/** What `gateOverride` provides. */
export type GateOverride = (options: GateOptions) => GateOptions;

const optionalOverride = { token: gateOverride, optional: true };

/** Who may inject the gate's services. */
export interface GateScope {
  /** Whether every module may; otherwise those that import this one. @default true */
  readonly isGlobal?: boolean | undefined;
}

/** Makes the options of a gate, as a provider of `useClass` or `useExisting`. */
export interface GateOptionsFactory {
  createGateOptions(): GateOptions | Promise<GateOptions>;
}

interface OptionsSource {
  /** Modules whose providers the factory or the class needs. @default [] */
  readonly imports?: NonNullable<DynamicModule['imports']>;
}

/** Where the options of a gate come from: exactly one of a factory, a class and a provider that exists. */
export type GateAsyncOptions = GateScope &
  OptionsSource &
  (
    | {
        readonly useFactory: (...injected: never[]) => GateOptions | Promise<GateOptions>;
        /** What the factory is called with. @default [] */
        readonly inject?: FactoryProvider['inject'];
      }
    | { readonly useClass: Type<GateOptionsFactory> }
    | { readonly useExisting: Type<GateOptionsFactory> | string | symbol }
  );

/**
 * The configuration of these options. `NODE_ENV` is a fact of the process and no setting: where the options name an
 * environment of their own, production is production all the same.
 */
export function configFrom(options: GateOptions): GateConfig {
  const { env = process.env } = options;
  const { NODE_ENV } = process.env;
  return readGateConfig(options, { ...(NODE_ENV === undefined ? {} : { NODE_ENV }), ...(env === false ? {} : env) });
}

/** The provider of a configuration whose options are known. Its faults are thrown now. */
export function configProvider(options: GateOptions): Provider {
  const config = configFrom(options);
  return {
    provide: GateConfig,
    inject: [optionalOverride],
    useFactory: (override?: GateOverride) => (override === undefined ? config : configFrom(override(options))),
  };
}

/** The providers of a configuration whose options come later. */
export function asyncConfig(source: Omit<GateAsyncOptions, 'isGlobal'> & Partial<Ways>): Provider[] {
  const { useFactory, inject = [], useClass, useExisting } = source;
  const given = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  if (given.length !== 1) throw new TypeError('forRootAsync needs exactly one of useFactory, useClass and useExisting');
  if (useFactory !== undefined) {
    const make = async (override: GateOverride | undefined, ...injected: unknown[]) =>
      overridden(await useFactory(...(injected as never[])), override);
    return [{ provide: GateConfig, inject: [optionalOverride, ...inject], useFactory: make }];
  }
  const token = useClass ?? useExisting ?? missing();
  return [
    ...(useClass === undefined ? [] : [useClass]),
    {
      provide: GateConfig,
      inject: [token, optionalOverride],
      useFactory: async (factory: GateOptionsFactory, override?: GateOverride) =>
        overridden(await factory.createGateOptions(), override),
    },
  ];
}

function overridden(options: GateOptions, override: GateOverride = (same) => same): GateConfig {
  return configFrom(override(options));
}

interface Ways {
  readonly useFactory: (...injected: never[]) => GateOptions | Promise<GateOptions>;
  readonly inject: FactoryProvider['inject'];
  readonly useClass: Type<GateOptionsFactory>;
  readonly useExisting: Type<GateOptionsFactory> | string | symbol;
}

function missing(): never {
  throw new TypeError('there is no source of options');
}
