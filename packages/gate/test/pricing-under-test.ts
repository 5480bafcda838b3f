import { money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { BadRequestException, Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { Priced } from '../src/tariff.js';

const pairs = z.strictObject({ pairs: z.array(z.tuple([z.string(), z.string()])).max(1_000) });

/** Routes whose price, units or sku depend on the request. */
@Controller()
export class PricingController {
  /** How often a tariff was asked for a price. */
  static asked = 0;
  /** How often a handler ran. */
  static runs = 0;
  /** What the price by whim is. */
  static whim: () => unknown = () => '$0.001';

  @Priced({ sku: 'pages', price: { max: '$0.05', of: ({ query }) => priceOfPages(query['pages']) } })
  @Get('pages')
  pages(): object {
    return ran();
  }

  @Priced({
    sku: 'pages.before',
    price: { max: '$0.05', of: ({ query }) => priceOfPages(query['pages']) },
    flow: 'upfront',
  })
  @Get('pages/before')
  pagesBefore(): object {
    return ran();
  }

  @Priced({
    sku: 'pages.later',
    price: { max: '$0.05', of: ({ query }) => priceOfPages(query['pages']) },
    flow: 'deferred',
  })
  @Get('pages/later')
  pagesLater(): object {
    return ran();
  }

  @Priced({
    sku: 'pairs',
    reads: { body: pairs },
    price: { min: '$0.0001', max: '$0.1', of: ({ body }) => money('USD', 100n * BigInt(body.pairs.length)) },
    units: { max: 1_000, of: ({ body }) => body.pairs.length },
  })
  @Post('pairs')
  @HttpCode(200)
  pairs(@Body({ schema: pairs }) body: z.infer<typeof pairs>): object {
    return { ...ran(), pairs: body.pairs.length };
  }

  @Priced({ sku: 'whim', price: { max: '$0.05', of: () => ask(PricingController.whim) as string } })
  @Get('whim')
  whim(): object {
    return ran();
  }

  @Priced({ sku: 'posted', price: { max: '$0.05', of: ({ method }) => (method === 'POST' ? '$0.003' : '$0.001') } })
  @Post('posted')
  @HttpCode(200)
  posted(): object {
    return ran();
  }

  @Priced({ sku: 'unit-whim', price: '$0.001', units: { max: 5, of: () => ask(PricingController.whim) as number } })
  @Get('unit-whim')
  unitWhim(): object {
    return ran();
  }

  @Priced({
    skus: {
      'forecast.daily': { price: '$0.001', scope: 'forecast' },
      'forecast.hourly': { price: '$0.004', units: 4 },
      'forecast.days': { price: { max: '$0.03', of: ({ query }) => priceOfPages(query['days']) }, units: 7 },
    },
    choose: {
      query: 'granularity',
      values: { daily: 'forecast.daily', hourly: 'forecast.hourly', days: 'forecast.days' },
      absent: 'forecast.daily',
    },
  })
  @Get('forecast')
  forecast(@Query('granularity') granularity?: string): object {
    return { ...ran(), granularity };
  }

  @Priced({
    skus: { small: { price: '$0.001' }, large: { price: '$0.002', accepts: [{ flow: 'deferred' }] } },
    choose: { param: 'size', values: { s: 'small', l: 'large' } },
  })
  @Get('sizes/:size')
  sizes(@Param('size') size: string): object {
    return { ...ran(), size };
  }

  @Priced({
    skus: { one: { price: '$0.001' }, two: { price: '$0.002' } },
    choose: ({ query }) => (query['n'] === undefined ? undefined : (query['n'] as 'one')),
  })
  @Get('chosen')
  chosen(): object {
    return ran();
  }
}

function ran(): object {
  PricingController.runs += 1;
  return { run: PricingController.runs };
}

function ask(of: () => unknown): unknown {
  PricingController.asked += 1;
  return of();
}

function priceOfPages(text: string | readonly string[] | undefined): string {
  PricingController.asked += 1;
  if (typeof text !== 'string' || !/^\d{1,3}$/.test(text)) throw new BadRequestException('pages must be a number');
  if (text === '0') throw new Problem('request/invalid', 'No pages are no request.');
  return `$0.${text.padStart(3, '0')}`;
}
