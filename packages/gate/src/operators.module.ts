import { SqlPool } from '@keyfare/db/sql';
import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { GateConfig } from './config.js';
import { ListPool } from './list-pool.js';
import { AdminInterceptor } from './operator/admin.js';
import { Changes } from './operator/changes.js';
import { OperatorLookup } from './operator/lookup.js';
import { BootstrapToken, OperatorGuard } from './operator/operator.guard.js';
import { OperatorService } from './operator/operators.service.js';
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
  ({ databaseUrl: url, isPooled }: GateConfig): SqlPool =>
    new SqlPool({ url, applicationName: 'keyfare-operators', role: gateRole, poolSize, isPooled });

/** Operators of the service, what they may do, and the one way in which they change something. Beside `GateModule`. */
@Module({})
export class OperatorsModule {
  /** `bootstrapToken` makes the first operator, once. */
  static forRoot({ bootstrapToken }: { readonly bootstrapToken: string | undefined }): DynamicModule {
    return {
      module: OperatorsModule,
      global: true,
      providers: [
        { provide: changePool, inject: [GateConfig], useFactory: poolOf(4) },
        { provide: lookupPool, inject: [GateConfig], useFactory: poolOf(1) },
        { provide: OperatorLookup, inject: [lookupPool], useFactory: (pool: SqlPool) => new OperatorLookup(pool) },
        { provide: OperatorService, inject: [ListPool], useFactory: (pool: SqlPool) => new OperatorService(pool) },
        { provide: Changes, inject: [changePool], useFactory: (pool: SqlPool) => new Changes({ pool, schema }) },
        { provide: BootstrapToken, useValue: new BootstrapToken(bootstrapToken) },
        OperatorGuard,
        AdminInterceptor,
        OperatorLifecycle,
      ],
      exports: [OperatorLookup, OperatorService, Changes, BootstrapToken, OperatorGuard, AdminInterceptor],
    };
  }
}
