import { Controller, Get, HttpException } from '@nestjs/common';
import { Priced } from '../src/tariff.js';

/** Routes of the flows that settle at another time than after the handler. */
@Controller()
export class FlowsController {
  static runs = 0;
  static fails = false;

  @Priced({ sku: 'before', price: '$0.001', flow: 'upfront' })
  @Get('upfront')
  upfront(): object {
    FlowsController.runs += 1;
    if (FlowsController.fails) throw new HttpException('no', 500);
    return { upfront: true };
  }

  @Priced({ sku: 'later', price: '$0.001', flow: 'deferred' })
  @Get('deferred')
  deferred(): object {
    FlowsController.runs += 1;
    return { deferred: true };
  }
}

/** A route that takes payments on two networks: both must be configured. */
@Controller()
export class EitherController {
  @Priced({
    sku: 'either',
    price: '$0.001',
    accepts: [
      { flow: 'deferred', price: '$0.002' },
      { flow: 'upfront', payTo: '0x00000000000000000000000000000000000000aa' },
      { network: 'base', price: '$0.003' },
    ],
  })
  @Get('either')
  either(): object {
    FlowsController.runs += 1;
    return { either: true };
  }
}
