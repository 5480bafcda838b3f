import { expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { z } from 'zod';
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

  // EURC of Base Sepolia: a token like USDC, and another currency.
  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: '0x808456652fdb597867f38412077A9182bf77359F' }] })
  @Get('priceless')
  priceless(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: 'EURC', price: '$1' }] })
  @Get('dollars')
  dollars(): void {}

  @Priced({ sku: 'ping', price: '€1' })
  @Get('euros')
  euros(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: 'DAI', price: '$1' }] })
  @Get('dai')
  dai(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: '0x036cbD53842c5426634e7929541eC2318f3dCF7e' }] })
  @Get('checksum')
  checksum(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ network: 'polygon', asset: 'EURC', price: '€1' }] })
  @Get('nowhere')
  nowhere(): void {}

  @Priced({
    sku: 'ping',
    price: '$1',
    accepts: [{ network: 'base-sepolia', asset: '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42', price: '€1' }],
  })
  @Get('other')
  other(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42', price: '€1' }] })
  @Get('base')
  base(): void {}

  @Priced({ sku: 'ping', price: '$1', flow: 'deferred', accepts: [{ asset: 'EURC', price: '€0.1' }] })
  @Get('later')
  later(): void {}

  @Priced({ skus: { a: { price: '$1' } }, choose: () => 'a' as const, accepts: [{ asset: 'EURC' }] })
  @Get('chosen')
  chosen(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{}, { asset: 'EURC', price: '€1' }] })
  @Get('both')
  both(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{ asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e' }] })
  @Get('usdc')
  usdc(): void {}

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

const name = z.strictObject({ name: z.string() });

@Controller('variable')
class Variable {
  @Priced({ sku: 'ping', price: { max: '$0', of: () => '$1' } })
  @Get('zero')
  zero(): void {}

  @Priced({ sku: 'ping', price: { min: '$2', max: '$1', of: () => '$1' } })
  @Get('bounds')
  bounds(): void {}

  // @ts-expect-error a quote waits for nothing: the type says so, and so does the start
  @Priced({ sku: 'ping', price: { max: '$1', of: async () => Promise.resolve('$1') } })
  @Get('async')
  async(): void {}

  // @ts-expect-error what is written in JavaScript has no types
  @Priced({ sku: 'ping', price: { max: '$1' }, units: { max: 3, of: 2 } })
  @Get('functions')
  functions(): void {}

  @Priced({ sku: 'ping', price: '$1', units: { min: 4, max: 3, of: () => 3 } })
  @Get('units')
  units(): void {}

  @Priced({ sku: 'ping', price: { max: '$1.000001', of: () => '$1' }, flow: 'deferred' })
  @Get('much')
  much(): void {}

  @Priced({ sku: 'ping', price: '$1', reads: { query: name } })
  @Get('idle')
  idle(): void {}

  // @ts-expect-error a payment is bound to no header, so no price may depend on one
  @Priced({ sku: 'ping', reads: { headers: name, query: {} }, price: { max: '$1', of: () => '$1' } })
  @Get('headers')
  headers(): void {}

  @Priced({ sku: 'ping', reads: { body: name }, price: { max: '$1', of: ({ body }) => body.name } })
  @Get('body')
  body(): void {}

  @Priced({ sku: 'ping', price: { max: '$1', of: () => '$1' }, accepts: [{}, { flow: 'upfront' }] })
  @Get('alike')
  alike(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{}, { flow: 'upfront', price: '$1' }] })
  @Get('same')
  same(): void {}

  // @ts-expect-error one or the other
  @Priced({ sku: 'ping', price: '$1', skus: { pong: { price: '$1' } }, choose: () => 'pong' })
  @Get('both')
  both(): void {}

  @Priced({
    skus: { Small: { price: '$1' }, large: { price: '1', units: 0 }, lost: { price: '$1' } },
    // @ts-expect-error the type knows the skus
    choose: { query: 'size', values: { s: 'Small', l: 'large', m: 'medium' } },
  })
  @Get('skus')
  skus(): void {}

  @Priced({ skus: { a: { price: '$1' } }, choose: { param: 'a', values: { a: 'a' }, absent: 'a' } })
  @Get(':a')
  absent(): void {}

  @Priced({ skus: { a: { price: '$1' } }, choose: { values: { a: 'a' } } })
  @Get('unnamed')
  unnamed(): void {}

  // @ts-expect-error every product has its own price
  @Priced({ skus: { a: { price: '$1' } }, choose: () => 'a', accepts: [{ price: '$1' }] })
  @Get('accepts')
  accepts(): void {}

  @Priced({ sku: 'good', reads: { query: name }, price: { max: '$1', of: ({ query }) => `$0.${query.name.length}` } })
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
      'GET /senseless/priceless (Senseless.priceless): accepts asks for EURC without a price in it, and no price is converted: say price',
      'GET /senseless/dollars (Senseless.dollars): the price "$1" is none: write euros with at most six decimals, such as "€0.001"',
      'GET /senseless/euros (Senseless.euros): the price "€1" is none: write dollars with at most six decimals, such as "$0.001"',
      'GET /senseless/dai (Senseless.dai): accepts asks for the asset "DAI": say USDC or EURC, or its contract',
      'GET /senseless/checksum (Senseless.checksum): accepts asks for the asset "0x036cbD53842c5426634e7929541eC2318f3dCF7e": say USDC or EURC, or its contract',
      'GET /senseless/nowhere (Senseless.nowhere): EURC is not taken on polygon',
      'GET /senseless/other (Senseless.other): accepts asks for EURC of base on base-sepolia: name one network',
      'GET /senseless/base (Senseless.base): accepts asks for payments on base, which is not in NETWORKS',
      'GET /senseless/later (Senseless.later): accepts defers payments in EURC: set MAX_OPEN_PER_PAYER_EUR and MAX_OPEN_TOTAL_EUR, or another flow',
      'GET /senseless/chosen (Senseless.chosen): sku "a": accepts asks for EURC without a price in it, and no price is converted: say price',
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

it('the start stops at functions, bounds and choices that make no sense, all at once, by route and sku', async () => {
  const ground = await openGround();
  try {
    const refused = await startGate(ground, { controllers: [Variable] }).catch((error: unknown) => error);
    const faults = refused instanceof ConfigurationError ? refused.faults : [String(refused)];
    expect(faults.map((fault) => fault.replace(/^GET \/variable\/\S+ \(Variable\.(\w+)\)/, '$1'))).toEqual([
      'zero: the price is $0, which no wallet can pay: say @Free(), or a price',
      'bounds: the lowest price $2 is above the highest, $1',
      'async: the price must be told at once: the function is async',
      'functions: units must be told by a function',
      'functions: the price must be told by a function',
      'units: units must lie between two whole numbers, at least 1, the lower one first',
      'much: the price is deferred and above MAX_OPEN_PER_PAYER_USD or MAX_OPEN_TOTAL_USD: nobody could pay it',
      'idle: reads is for prices, units and choices by function',
      'headers: reads has no "headers": query, params and body',
      'headers: reads has no schema of the query',
      'body: reads the body of a GET, which nobody reads',
      'alike: accepts has two offers that a payment cannot tell apart',
      'same: accepts has two offers that a payment cannot tell apart',
      'both: a route sells one sku, or chooses among skus: name one of the two',
      'skus: sku "Small": "Small" is no sku: lower-case letters, digits, ".", "_", ":" and "-"',
      'skus: sku "large": units must be a whole number, at least 1',
      'skus: sku "large": the price "1" is none: write dollars with at most six decimals, such as "$0.001"',
      'skus: the choice names "medium", which is not among the skus',
      'skus: no choice leads to "lost"',
      'absent: the choice by param needs no absent: a path has all',
      'unnamed: the choice must name a query or a param, and not both',
      'accepts: accepts of a route with several skus has a price: say it in the accepts of the sku it is of',
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

@Controller('resolved')
class Resolved {
  @Priced({ sku: 'ping', price: '$1', accepts: [{}, { network: 'base-sepolia', flow: 'upfront' }] })
  @Get('alike')
  alike(): void {}

  @Priced({ sku: 'ping', price: '$1', accepts: [{}, { network: 'base-sepolia', price: '$2' }] })
  @Get('apart')
  apart(): void {}
}

it('the start stops at two offers that only the settings make alike', async () => {
  const ground = await openGround();
  try {
    const refused = await startGate(ground, { controllers: [Resolved] }).catch((error: unknown) => error);
    const faults = refused instanceof ConfigurationError ? refused.faults : [String(refused)];
    expect(faults).toEqual([
      'GET /resolved/alike (Resolved.alike): accepts has two offers that a payment cannot tell apart',
    ]);
  } finally {
    await ground.close();
  }
});
