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

@Module({
  imports: [GateModule.forRoot({ network: 'base-sepolia' })],
  controllers: [ForecastController],
})
export class AppModule {}
