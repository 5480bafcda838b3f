import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import { GateConfig, readGateConfig } from './config.js';
import type { GateOptions } from './options.js';

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

/** The providers of a configuration whose options come later. */
export function asyncConfig(source: Omit<GateAsyncOptions, 'isGlobal'> & Partial<Ways>): Provider[] {
  const { useFactory, inject = [], useClass, useExisting } = source;
  const given = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  if (given.length !== 1) throw new TypeError('forRootAsync needs exactly one of useFactory, useClass and useExisting');
  if (useFactory !== undefined) {
    const make = async (...injected: unknown[]) => configFrom(await useFactory(...(injected as never[])));
    return [{ provide: GateConfig, inject, useFactory: make }];
  }
  const token = useClass ?? useExisting ?? missing();
  return [
    ...(useClass === undefined ? [] : [useClass]),
    {
      provide: GateConfig,
      inject: [token],
      useFactory: async (factory: GateOptionsFactory) => configFrom(await factory.createGateOptions()),
    },
  ];
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
