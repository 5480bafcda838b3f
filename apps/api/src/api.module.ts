import { AdminModule } from '@keyfare/gate/admin';
import { MetricsModule } from '@keyfare/gate/metrics';
import { GateModule } from '@keyfare/gate/module';
import { Watch } from '@keyfare/gate/server';
import { type DynamicModule, Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { UsageController } from './account/usage.controller.js';
import type { ApiConfig } from './config.js';
import { DistancesController } from './products/distances.controller.js';
import { ForecastController } from './products/forecast.controller.js';
import { StatusController } from './status/status.controller.js';

/** The API: what it sells, and how it is doing. The gate and its modules do the rest. */
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
        AdminModule.forRoot({ bootstrapToken: config.bootstrapToken }),
        MetricsModule.forRoot({ watch }),
      ],
      controllers: [ForecastController, DistancesController, UsageController, StatusController],
      providers: [
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
        { provide: Watch, useValue: watch },
      ],
    };
  }
}
