import { GateModule } from '@keyfare/gate/module';
import { Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Module } from '@nestjs/common';

@Controller()
class ForecastController {
  @Priced({ sku: 'forecast', price: '$0.001' })
  @Get('forecast')
  forecast(): object {
    return { tomorrow: 'sun' };
  }
}

/** Its settings are asked for when the application starts. */
@Module({
  imports: [GateModule.forRootAsync({ useFactory: () => ({ network: 'base-sepolia' }) })],
  controllers: [ForecastController],
})
export class AppModule {}
