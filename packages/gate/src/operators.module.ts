import { SqlPool } from '@keyfare/db/sql';
import {
  type DynamicModule,
  Inject,
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { GateConfig } from './config.js';
import { AdminInterceptor } from './operator/admin.js';
import { Changes } from './operator/changes.js';
import { OperatorLookup } from './operator/lookup.js';
import { BootstrapToken, OperatorGuard } from './operator/operator.guard.js';
import { OperatorService } from './operator/operators.service.js';
import { gateRole, schema } from './schema.js';

const hourMs = 3_600_000;

/** What operators do has connections of its own: a revocation waits for no list, and for no call. */
export const operatorPool = Symbol('keyfare:operator-pool');

@Injectable()
class OperatorLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger('Operators');
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(operatorPool) private readonly pool: SqlPool,
    private readonly changes: Changes,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.changes.forget().catch((error: unknown) => {
        this.#logger.warn({ err: error }, 'old answers of operators could not be deleted; tried again in an hour');
      });
    }, hourMs).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.pool.close();
  }
}

/** Operators of the service, what they may do, and the one way in which they change something. Beside `GateModule`. */
@Module({})
export class OperatorsModule {
  /** `bootstrapToken` makes the first operator, once. */
  static forRoot({ bootstrapToken }: { readonly bootstrapToken: string | undefined }): DynamicModule {
    return {
      module: OperatorsModule,
      global: true,
      providers: [
        {
          provide: operatorPool,
          inject: [GateConfig],
          useFactory: ({ databaseUrl: url }: GateConfig) =>
            new SqlPool({ url, applicationName: 'keyfare-operators', role: gateRole, poolSize: 4 }),
        },
        { provide: OperatorLookup, inject: [operatorPool], useFactory: (pool: SqlPool) => new OperatorLookup(pool) },
        { provide: OperatorService, inject: [operatorPool], useFactory: (pool: SqlPool) => new OperatorService(pool) },
        { provide: Changes, inject: [operatorPool], useFactory: (pool: SqlPool) => new Changes({ pool, schema }) },
        { provide: BootstrapToken, useValue: new BootstrapToken(bootstrapToken) },
        OperatorGuard,
        AdminInterceptor,
        OperatorLifecycle,
      ],
      exports: [
        operatorPool,
        OperatorLookup,
        OperatorService,
        Changes,
        BootstrapToken,
        OperatorGuard,
        AdminInterceptor,
      ],
    };
  }
}
