import { SqlPool } from '@keyfare/db/sql';
import {
  type DynamicModule,
  type FactoryProvider,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type Provider,
} from '@nestjs/common';
import { ConfigurationError, GateConfig } from './config.js';
import { ListPool } from './list-pool.js';
import { AdminInterceptor } from './operator/admin.js';
import { Changes } from './operator/changes.js';
import { OperatorLookup } from './operator/lookup.js';
import { BootstrapToken, OperatorGuard } from './operator/operator.guard.js';
import { OperatorService } from './operator/operators.service.js';
import { SessionService } from './operator/session.service.js';
import { SessionCookie } from './operator/session-guard.js';
import { productionFaults } from './production-config.js';
import { gateRole, schema } from './schema.js';

/** What operators change has connections of its own: a revocation waits for no list, and for no call. */
const changePool = Symbol('keyfare:change-pool');
/** Whose token it is: no change that waits for another keeps a revocation at the door. */
const lookupPool = Symbol('keyfare:lookup-pool');

@Injectable()
class OperatorLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(changePool) private readonly changeSql: SqlPool,
    @Inject(lookupPool) private readonly lookupSql: SqlPool,
    private readonly changes: Changes,
  ) {}

  onApplicationBootstrap(): void {
    this.changes.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.changes.stop();
    await Promise.all([this.changeSql.close(), this.lookupSql.close()]);
  }
}

const poolOf =
  (poolSize: number) =>
  ({ ownConnections, isPooled }: GateConfig): SqlPool =>
    new SqlPool({ ...ownConnections, applicationName: 'keyfare-operators', role: gateRole, poolSize, isPooled });

/** What the routes of operators need to be told. */
export interface OperatorsOptions {
  /** Makes the first operator, once: at least 32 characters. @default none: an operator must exist */
  readonly bootstrapToken?: string | undefined;
  /** The module of the gate, where that is not global. @default [] */
  readonly imports?: NonNullable<DynamicModule['imports']>;
}

/** The same from a factory. */
export interface OperatorsAsyncOptions {
  /** Modules whose providers the factory needs; that of the gate, where it is not global. @default [] */
  readonly imports?: NonNullable<DynamicModule['imports']>;
  /** What the factory is called with. @default [] */
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: (
    ...injected: never[]
  ) => Pick<OperatorsOptions, 'bootstrapToken'> | Promise<Pick<OperatorsOptions, 'bootstrapToken'>>;
}

/** Operators of the service, what they may do, and the one way in which they change something. Beside `GateModule`. */
@Module({})
export class OperatorsModule {
  /** `bootstrapToken` makes the first operator, once. */
  static forRoot({ bootstrapToken, imports = [] }: OperatorsOptions = {}): DynamicModule {
    const useFactory = (config: GateConfig) => readBootstrapToken(bootstrapToken, config);
    return operatorsModule({ provide: BootstrapToken, inject: [GateConfig], useFactory }, imports);
  }

  /** The options from a factory. */
  static forRootAsync({ imports = [], inject = [], useFactory: make }: OperatorsAsyncOptions): DynamicModule {
    const useFactory = async (config: GateConfig, ...injected: unknown[]) =>
      readBootstrapToken((await make(...(injected as never[]))).bootstrapToken, config);
    return operatorsModule({ provide: BootstrapToken, inject: [GateConfig, ...inject], useFactory }, imports);
  }
}

function operatorsModule(token: Provider, imports: NonNullable<DynamicModule['imports']>): DynamicModule {
  return {
    module: OperatorsModule,
    global: true,
    imports,
    providers: [
      { provide: changePool, inject: [GateConfig], useFactory: poolOf(4) },
      { provide: lookupPool, inject: [GateConfig], useFactory: poolOf(1) },
      { provide: OperatorLookup, inject: [lookupPool], useFactory: (pool: SqlPool) => new OperatorLookup(pool) },
      { provide: OperatorService, inject: [ListPool], useFactory: (pool: SqlPool) => new OperatorService(pool) },
      {
        provide: SessionService,
        inject: [changePool, GateConfig],
        useFactory: (pool: SqlPool, { sessions }: GateConfig) => new SessionService(pool, sessions),
      },
      { provide: SessionCookie, useValue: new SessionCookie(null) },
      { provide: Changes, inject: [changePool], useFactory: (pool: SqlPool) => new Changes({ pool, schema }) },
      token,
      OperatorGuard,
      AdminInterceptor,
      OperatorLifecycle,
    ],
    exports: [
      OperatorLookup,
      OperatorService,
      SessionService,
      SessionCookie,
      Changes,
      BootstrapToken,
      OperatorGuard,
      AdminInterceptor,
    ],
  };
}

/** Throws a `ConfigurationError` for a token that could be tried out. */
function readBootstrapToken(token: string | undefined, { isProduction }: GateConfig): BootstrapToken {
  const faults =
    token === undefined
      ? []
      : typeof token !== 'string' || token.length < 32
        ? ['bootstrapToken must have at least 32 characters']
        : isProduction
          ? productionFaults({ NODE_ENV: 'production', BOOTSTRAP_TOKEN: token }, { publicUrl: false })
          : [];
  if (faults.length > 0)
    throw new ConfigurationError(faults.map((fault) => fault.replace('BOOTSTRAP_TOKEN', 'bootstrapToken')));
  return new BootstrapToken(token);
}
