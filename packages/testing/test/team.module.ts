import { GateModule } from '@keyfare/gate/module';
import { Free, Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Module, Query } from '@nestjs/common';

/** A service as another team has it. */
@Controller()
class TeamController {
  @Priced({ sku: 'forecast', price: '$0.01' })
  @Get('forecast')
  forecast(@Query('fail') fail?: string): object {
    if (fail !== undefined) throw new Error('no forecast today');
    return { tomorrow: 'sun' };
  }

  @Free()
  @Get('about')
  about(): object {
    return { sells: 'forecasts' };
  }
}

/** Its settings name another database and another node than those of a test. */
@Module({
  imports: [
    GateModule.forRootAsync({
      useFactory: () => ({
        network: 'base',
        databaseUrl: 'postgres://nobody@127.0.0.1:1/production',
        migrationDatabaseUrl: 'postgres://owner@127.0.0.1:1/production',
        rpcUrl: 'http://127.0.0.1:1/',
      }),
    }),
  ],
  controllers: [TeamController],
})
export class TeamModule {}
