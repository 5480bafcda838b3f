import { GateModule } from '@keyfare/gate/module';
import { OperatorsModule } from '@keyfare/gate/operators';
import { Watch } from '@keyfare/gate/server';
import { type DynamicModule, Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { UsageController } from './account/usage.controller.js';
import { AccountKeysController } from './admin/account-keys.controller.js';
import { AccountsController } from './admin/accounts.controller.js';
import { AuditController } from './admin/audit.controller.js';
import { KeysController } from './admin/keys.controller.js';
import { OperatorsController } from './admin/operators.controller.js';
import { PaymentsController } from './admin/payments.controller.js';
import { PlansController } from './admin/plans.controller.js';
import type { ApiConfig } from './config.js';
import { DistancesController } from './products/distances.controller.js';
import { ForecastController } from './products/forecast.controller.js';
import { StatusController } from './status/status.controller.js';

/** The API: what it sells, how its operators run it, and how it is doing. The gate does the rest. */
@Module({})
export class ApiModule {
  static forRoot({
    watch,
    ...config
  }: Pick<ApiConfig, 'bootstrapToken' | 'corsOrigins'> & { readonly watch: Watch }): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        GateModule.forRoot({ corsOrigins: config.corsOrigins }),
        OperatorsModule.forRoot({ bootstrapToken: config.bootstrapToken }),
      ],
      controllers: [
        ForecastController,
        DistancesController,
        UsageController,
        PlansController,
        AccountsController,
        AccountKeysController,
        KeysController,
        PaymentsController,
        OperatorsController,
        AuditController,
        StatusController,
      ],
      providers: [
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
        { provide: Watch, useValue: watch },
      ],
    };
  }
}
