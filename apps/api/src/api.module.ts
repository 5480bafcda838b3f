import { AdminModule } from '@keyfare/gate/admin';
import { DiscoveryModule } from '@keyfare/gate/discovery';
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
  }: Pick<ApiConfig, 'bootstrapToken' | 'contactEmail' | 'corsOrigins'> & { readonly watch: Watch }): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        GateModule.forRoot({ corsOrigins: config.corsOrigins }),
        AdminModule.forRoot({ bootstrapToken: config.bootstrapToken }),
        MetricsModule.forRoot({ watch }),
        DiscoveryModule.forRoot({
          title: 'Keyfare API',
          description:
            'Where the sun and the moon are, and how far it is. Call with an API key, or without one and pay by x402: the first answer then is a 402 with the price.',
          version: '0.2.0',
          ...(config.contactEmail !== undefined && { contact: { email: config.contactEmail } }),
        }),
      ],
      controllers: [ForecastController, DistancesController, UsageController, StatusController],
      providers: [
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
        { provide: Watch, useValue: watch },
      ],
    };
  }
}
