import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, type Type } from '@nestjs/common';
import { DiscoveryModule } from '../src/discovery.module.js';
import { PriceService } from '../src/price/price.service.js';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows } from './requests.js';

@Controller()
class Before {
  @Priced({ sku: 'map', price: '$0.001' })
  @Get('map')
  map(): object {
    return {};
  }

  @Priced({ sku: 'map', price: '$0.001' })
  @Get('same-map')
  sameMap(): object {
    return {};
  }
}

@Controller()
class After {
  @Priced({ sku: 'map', price: '$0.002' })
  @Get('map')
  map(): object {
    return {};
  }
}

interface Price {
  readonly id: string;
  readonly sku: string;
  readonly price?: { readonly max: string };
  readonly terms?: { readonly price: readonly string[] };
  readonly routes?: readonly object[];
  readonly firstSeenAt: string;
}

describe('the price list', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround();
  }, 60_000);
  afterAll(async () => {
    await ground.close();
  });

  const start = (controller: Type): Promise<GateUnderTest> =>
    startGate(ground, {
      controllers: [controller],
      imports: [DiscoveryModule.forRoot({ title: 'Test', description: 'Tests.' })],
    });
  const pricesOf = async (gate: GateUnderTest, path = '/prices'): Promise<readonly Price[]> =>
    ((await call(gate, path)).body as { prices?: readonly Price[] }).prices ?? [];

  it('names a price by what it is: the same on every replica and after a start; a changed one is new and the old stays readable', async () => {
    const [one, two] = await Promise.all([start(Before), start(Before)]);
    // However many record the same at once, each learns the date.
    const same = [{ id: `price_${'a'.repeat(32)}`, sku: 'race', text: '{}' }];
    const dates = await Promise.all(Array.from({ length: 20 }, () => one.app.get(PriceService).record(same)));
    expect(new Set(dates.map((found) => found.get(same[0]?.id ?? '')?.toISOString())).size).toBe(1);
    expect(dates[0]?.size).toBe(1);
    const [first, ...others] = await pricesOf(one);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ sku: 'map', price: { max: '0.001000' } });
    expect(first?.routes).toEqual([
      { method: 'GET', path: '/map' },
      { method: 'GET', path: '/same-map' },
    ]);
    expect(await pricesOf(two)).toEqual([first]);
    await Promise.all([one.close(), two.close()]);
    const later = await start(After);
    try {
      const [second] = await pricesOf(later);
      expect(second?.id).not.toBe(first?.id);
      const history = await pricesOf(later, '/prices/skus/map');
      expect(history.map(({ id, terms }) => [id, terms?.price])).toEqual([
        [second?.id, ['0.002000', '0.002000']],
        [first?.id, ['0.001000', '0.001000']],
      ]);
      const old = await fetch(`${later.url}/prices/${first?.id ?? ''}`);
      expect(old.headers.get('cache-control')).toContain('immutable');
      expect(await old.json()).toMatchObject({ id: first?.id, firstSeenAt: first?.firstSeenAt });
      const document = (await call(later, '/openapi.json')).body as unknown as {
        paths: Record<string, { get: { 'x-payment-info': { skus: { priceId: string }[] } } }>;
      };
      expect(document.paths['/map']?.get['x-payment-info'].skus[0]?.priceId).toBe(second?.id);
      for (const path of ['price_0', `price_${'0'.repeat(32)}`]) {
        expect([path, (await call(later, `/prices/${path}`)).status]).toEqual([path, 404]);
      }
      for (const sku of ['nothing', '%00', 'Map']) expect(await pricesOf(later, `/prices/skus/${sku}`)).toEqual([]);
    } finally {
      await later.close();
    }
  }, 60_000);

  it('is kept for good: the gate may add to it, and change or delete nothing', async () => {
    const [row] = await rows<{ may: boolean; add: boolean }>(
      ground.database.url,
      `select has_table_privilege('keyfare_gate', 'keyfare.price', 'update, delete, truncate') as may,
        has_table_privilege('keyfare_gate', 'keyfare.price', 'insert') as add`,
    );
    expect(row).toEqual({ may: false, add: true });
  });
});
