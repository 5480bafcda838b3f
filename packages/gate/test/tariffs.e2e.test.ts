import { expect, it } from '@jest/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { ConfigurationError } from '../src/config.js';
import { Priced } from '../src/tariff.js';
import { openGround, startGate } from './gate-under-test.js';

@Controller('senseless')
class Senseless {
  @Priced({ sku: 'Ping', price: '$1' })
  @Get('sku')
  sku(): void {}

  @Get('text')
  @Priced({ sku: 'ping', price: '1' })
  text(): void {}

  @Priced({ sku: 'ping', price: '$0' })
  @Post('zero')
  zero(): void {}

  @Priced({ sku: 'ping', price: '$0.0000001' })
  @Get('fine')
  fine(): void {}

  @Priced({ sku: 'ping', price: '$9999999999999' })
  @Get('huge')
  huge(): void {}

  @Priced({ sku: 'ping', price: '$1', units: 0.5 })
  @Get('units/:id')
  units(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ payTo: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee' }] })
  @Get('payee')
  payee(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ network: 'moon' }] })
  @Get('elsewhere')
  elsewhere(): void {}

  @Priced({ sku: 'ping', price: '$1.000001', flow: 'deferred' })
  @Get('much')
  much(): void {}

  @Priced({ sku: 'gift', price: '$1', free: { calls: 0, per: 'key', period: 'year' } as never })
  @Get('gift')
  gift(): void {}

  @Priced({ sku: 'gift', price: '$1', free: { calls: 10, per: 'address', period: 'day', total: 9 } })
  @Get('total')
  total(): void {}

  @Priced({ sku: 'shared', price: '$1', free: { calls: 10, per: 'address', period: 'day' } })
  @Get('shared')
  shared(): void {}

  @Priced({ sku: 'shared', price: '$1', free: { calls: 11, per: 'address', period: 'day' } })
  @Get('unlike')
  unlike(): void {}

  @Priced({ sku: 'ping', price: '$1', flow: 'deferred' })
  @Get('good')
  good(): void {}
}

const settlerKey = '0x4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d';

@Controller()
class Loss {
  @Priced({ sku: 'ping', price: '$1', accepts: [{ payTo: '0x000000000000000000000000000000000000dEaD' }] })
  @Get('burn')
  burn(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ payTo: '0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1' }] })
  @Get('own')
  own(): void {}
}

it('the start stops at prices, skus, units and offers that make no sense, all at once, and names the route of each', async () => {
  const ground = await openGround();
  try {
    const refused = await startGate(ground, { controllers: [Senseless] }).catch((error: unknown) => error);
    const faults = refused instanceof ConfigurationError ? refused.faults : [String(refused)];
    expect(faults).toEqual([
      'GET /senseless/sku (Senseless.sku): "Ping" is no sku: lower-case letters, digits, ".", "_", ":" and "-"',
      'GET /senseless/text (Senseless.text): the price "1" is none: write dollars with at most six decimals, such as "$0.001"',
      'POST /senseless/zero (Senseless.zero): the price is $0, which no wallet can pay: say @Free(), or a price',
      'GET /senseless/fine (Senseless.fine): the price "$0.0000001" is none: write dollars with at most six decimals, such as "$0.001"',
      'GET /senseless/huge (Senseless.huge): the price $9999999999999 is more than there is: write dollars with at most six decimals, such as "$0.001"',
      'GET /senseless/units/:id (Senseless.units): units must be a whole number, at least 1',
      'GET /senseless/payee (Senseless.payee): payTo has a wrong checksum (EIP-55): copy the address again from where it came from',
      'GET /senseless/elsewhere (Senseless.elsewhere): accepts names the network "moon", on which no payments are taken',
      'GET /senseless/much (Senseless.much): the price is deferred and above MAX_OPEN_PER_PAYER_USD or MAX_OPEN_TOTAL_USD: nobody could pay it',
      'GET /senseless/gift (Senseless.gift): free.calls must be a whole number from 1 to 1000000',
      'GET /senseless/gift (Senseless.gift): free.per must be "wallet" or "address"',
      'GET /senseless/gift (Senseless.gift): free.period must be "day" or "month"',
      'GET /senseless/total (Senseless.total): free.total must be a whole number, at least free.calls and at most 1000000000',
      'GET /senseless/unlike (Senseless.unlike): free must be as that of GET /senseless/shared (Senseless.shared), which sells the same sku',
    ]);
  } finally {
    await ground.close();
  }
});

it('the start stops in production at a route that pays to nobody, or to the settler', async () => {
  const ground = await openGround();
  try {
    const env = { NODE_ENV: 'production', SETTLER_PRIVATE_KEY: settlerKey };
    const refused = await startGate(ground, { controllers: [Loss], env }).catch((error: unknown) => error);
    expect(refused instanceof ConfigurationError ? refused.faults : [String(refused)]).toEqual([
      'GET /burn (Loss.burn): payTo is an address that nobody has the key of: set the address of a wallet that you hold',
      'GET /own (Loss.own): payTo is the settler: pay to a wallet whose key is on no server',
    ]);
  } finally {
    await ground.close();
  }
});
