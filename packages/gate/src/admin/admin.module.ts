import { type DynamicModule, Module } from '@nestjs/common';
import { type OperatorsAsyncOptions, OperatorsModule, type OperatorsOptions } from '../operators.js';
import { adminControllers } from './controllers.js';

/**
 * The admin API below `/admin`, or below the application's prefix: plans, accounts, keys, payments, operators and what
 * they changed. Beside `GateModule`. Bodies and queries are held to their schemas whatever pipes the application has.
 *
 * @example
 * imports: [GateModule.forRoot(), AdminModule.forRoot({ bootstrapToken: process.env['BOOTSTRAP_TOKEN'] })]
 */
@Module({})
export class AdminModule {
  /**
   * The start is refused with a `ConfigurationError` for a bootstrap token that is short or, in production, guessable.
   */
  static forRoot(options: OperatorsOptions = {}): DynamicModule {
    return adminModule(OperatorsModule.forRoot(options), options.imports);
  }

  /** The options from a factory. */
  static forRootAsync(options: OperatorsAsyncOptions): DynamicModule {
    return adminModule(OperatorsModule.forRootAsync(options), options.imports);
  }
}

function adminModule(operators: DynamicModule, imports: DynamicModule['imports'] = []): DynamicModule {
  return { module: AdminModule, imports: [operators, ...imports], controllers: [...adminControllers] };
}
