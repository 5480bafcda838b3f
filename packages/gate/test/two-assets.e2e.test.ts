import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eurcDomain, fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { eurcAddress, installWallet, mintUsdc, usdcAddress, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@keyfare/jest-preset/globals';
import { Controller, Get } from '@nestjs/common';
import { ExactEvmScheme, toClientEvmSigner } from '@x402/evm';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { createPublicClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';
import { DiscoveryModule } from '../src/discovery.module.js';
import { PaymentLedger } from '../src/settling.js';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { type Answer, call, decodeHeader, rows, settled, signPayment, verifiedReceipt, withKey } from './requests.js';

const payWithVersion1 = fileURLToPath(new URL('../../../../interop/x402-v1/pay.mjs', import.meta.url));
const [usdc, eurc] = [usdcAddress.toLowerCase(), eurcAddress.toLowerCase()];

@Controller()
class LibraryController {
  @Priced({ sku: 'book', price: '$0.002', accepts: [{}, { asset: 'EURC', price: '€0.0018' }] })
  @Get('book')
  book(): object {
    return { book: true };
  }

  // One amount in two assets: only the signature tells what is paid.
  @Priced({ sku: 'copy', price: '$0.002', accepts: [{}, { asset: eurcAddress, price: '€0.002' }] })
  @Get('copy')
  copy(): object {
    return { copy: true };
  }

  @Priced({
    skus: {
      page: { price: '$0.001', accepts: [{ asset: 'EURC', price: '€0.0009' }] },
      pages: {
        price: { max: '$1', of: ({ query }) => `$0.00${String(query['count'])}` },
        accepts: [
          { asset: 'EURC', price: { max: '€1', of: ({ query }) => `€0.000${String(query['count'])}` } },
          { payTo: '0x00000000000000000000000000000000000000bb' },
        ],
      },
    },
    choose: ({ query }) => (query['count'] === undefined ? 'page' : 'pages'),
  })
  @Get('pages')
  pages(): object {
    return { pages: true };
  }

  @Priced({ sku: 'loan', price: '$0.002', flow: 'deferred', accepts: [{}, { asset: 'EURC', price: '€0.002' }] })
  @Get('loan')
  loan(): object {
    return { loan: true };
  }
}

@Controller()
class CinemaController {
  @Priced({ sku: 'film', price: '$0.01', accepts: [{ asset: 'EURC', price: '€0.009' }] })
  @Get('film')
  film(): object {
    return { film: true };
  }
}

describe('a route that is paid in USDC or in EURC', () => {
  let ground: Ground;
  let gate: GateUnderTest | undefined;
  let payer: TestPayer;
  /** Nothing is collected by itself but at four payments, or at what is said. */
  const limits = {
    MAX_OPEN_PER_PAYER_EUR: '0.004',
    MAX_OPEN_TOTAL_EUR: '10',
    DEFERRED_AGE_SECONDS: '3000',
    DEFERRED_COUNT: '4',
    DEFERRED_INTERVAL_MS: '50',
    BALANCE_INTERVAL_MS: '600000',
    CONFIRMATIONS: '0',
  };

  const start = async (env: Readonly<Record<string, string>> = {}): Promise<GateUnderTest> => {
    const controllers = [LibraryController, CinemaController];
    const imports = [DiscoveryModule.forRoot({ title: 'Library', description: 'Lends.' })];
    gate = await startGate(ground, { controllers, imports, env: { ...limits, ...env } });
    return gate;
  };

  beforeAll(async () => {
    ground = await openGround();
    payer = await fundedPayer(ground.chain, 60);
    await mintUsdc(ground.chain.rpcUrl, payer.address, 100_000_000n, eurcAddress);
  }, 30_000);
  afterEach(async () => {
    await gate?.close();
    gate = undefined;
    await rows(
      ground.database.url,
      'delete from keyfare.payment; delete from keyfare.payer_exposure; delete from keyfare.open_total',
    );
  }, 30_000);
  afterAll(async () => ground.close(), 30_000);

  const gained = async (work: () => Promise<void>): Promise<readonly bigint[]> => {
    const read = () =>
      Promise.all([usdcAddress, eurcAddress].map((asset) => usdcBalance(ground.chain.rpcUrl, ground.payTo, asset)));
    const before = await read();
    await work();
    return (await read()).map((after, index) => after - (before[index] ?? 0n));
  };
  const inEurc = (value: bigint, by = payer) => signPayment(ground, by, { value, domain: eurcDomain });
  const asked = ({ headers, body }: Answer): unknown[] => {
    const v2 = decodeHeader(headers, 'payment-required')['accepts'] as {
      asset: string;
      amount: string;
      extra: object;
    }[];
    const v1 = body['accepts'] as { asset: string; maxAmountRequired: string; extra: object }[];
    expect(v1.map(({ asset, maxAmountRequired, extra }) => [asset, maxAmountRequired, extra])).toEqual(
      v2.map(({ asset, amount, extra }) => [asset, amount, extra]),
    );
    return v2.map(({ asset, amount, extra }) => [asset, amount, extra]);
  };

  it('offers each with its contract, its domain and its own price, in both versions of x402', async () => {
    const at = await start();
    expect(asked(await call(at, '/book'))).toEqual([
      [usdcAddress, '2000', { name: 'USDC', version: '2' }],
      [eurcAddress, '1800', { name: 'EURC', version: '2' }],
    ]);
    expect(asked(await call(at, '/pages'))).toEqual([[eurcAddress, '900', { name: 'EURC', version: '2' }]]);
    expect(asked(await call(at, '/pages?count=7'))).toEqual([
      [eurcAddress, '700', { name: 'EURC', version: '2' }],
      [usdcAddress, '7000', { name: 'USDC', version: '2' }],
    ]);
  });

  it('every document about prices tells the asset of each offer, and adds or compares none with another', async () => {
    const at = await start();
    const llms = await (await fetch(`${at.url}/llms.txt`)).text();
    expect(llms).toContain('scheme `exact`, USDC or EURC');
    expect(llms).toMatch(/GET \/book\]\S+ book\. \$0\.002000 a call/);
    expect(llms).toMatch(/GET \/film\]\S+ film\. €0\.009000 a call/);
    const { items } = (await call(at, '/.well-known/x402')).body as {
      items: { resource: string; accepts: object[] }[];
    };
    expect(items.find(({ resource }) => resource.endsWith('/book'))?.accepts).toMatchObject([
      { asset: usdcAddress, amount: '2000' },
      { asset: eurcAddress, amount: '1800', extra: { name: 'EURC', version: '2' } },
    ]);
    const { prices } = (await call(at, '/prices')).body as { prices: { sku: string; accepts: object[] }[] };
    expect(prices.find(({ sku }) => sku === 'book')?.accepts).toMatchObject([
      { symbol: 'USDC', currency: 'USD', price: { min: '0.002000', max: '0.002000' } },
      { symbol: 'EURC', currency: 'EUR', price: { min: '0.001800', max: '0.001800' } },
    ]);
    const page = await (await fetch(`${at.url}/book`, { headers: { accept: 'text/html' } })).text();
    expect(page).toContain('$0.002 or €0.0018 a call');
    expect(page).toContain('€0.0018 in EURC on base-sepolia');
    const { paths } = (await call(at, '/openapi.json')).body as { paths: Record<string, { get: object }> };
    expect(paths['/film']?.get).toMatchObject({
      'x-payment-info': { price: { mode: 'fixed', currency: 'EUR', amount: '0.009000' } },
    });
  });

  it('a preflight says what would become of a payment in EURC, and takes nothing', async () => {
    const at = await start();
    const ask = async (headers: Record<string, string>): Promise<Answer['body']> => {
      const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' } };
      return (await call(at, '/preflight', { ...init, body: JSON.stringify({ url: '/book' }) })).body;
    };
    const payment = await inEurc(1_800n);
    const before = await ask(payment.v1);
    expect(before).toMatchObject({ wouldSucceed: true, rail: 'x402' });
    expect(await rows(ground.database.url, 'select 1 from keyfare.payment')).toEqual([]);
    expect((await call(at, '/book', { headers: payment.v1 })).status).toBe(200);
  });

  it('the official client of version 2 pays in EURC where it selects EURC: EURC moves, no USDC does', async () => {
    const at = await start();
    const chain = createPublicClient({ chain: baseSepolia, transport: http(ground.chain.rpcUrl) });
    const select = new x402Client((_version, offers) => {
      const found = offers.find(({ asset }) => asset === eurcAddress);
      if (found === undefined) throw new Error('EURC is not offered');
      return found;
    }).register('eip155:*', new ExactEvmScheme(toClientEvmSigner(payer.account, chain)));
    // The official client pays in what it was told to pay in, beside the default asset of a network.
    const allowed = { network: 'eip155:84532', asset: eurcAddress, maxAmountPerPayment: '10000' } as const;
    select.setSpendControls({ allowedAssets: [allowed] });
    const moved = await gained(async () => {
      const response = await wrapFetchWithPayment(fetch, select)(`${at.url}/book`);
      expect(decodeHeader(response.headers, 'payment-response')).toMatchObject({ success: true });
      expect(await verifiedReceipt(at, { status: response.status, headers: response.headers, body: {} })).toMatchObject(
        {
          status: 200,
          asset: eurc,
          decimals: 6,
          amount: '1800',
        },
      );
    });
    expect(moved).toEqual([0n, 1_800n]);
  }, 20_000);

  it('the official client of version 1 pays in the asset that it selects', async () => {
    const at = await start();
    const pay = async (asset: string): Promise<void> => {
      const args = [payWithVersion1, `${at.url}/copy`, payer.privateKey, asset];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { status, receipt } = JSON.parse(stdout) as { status: number; receipt: string };
      const headers = new Headers({ 'keyfare-receipt': receipt });
      expect(await verifiedReceipt(at, { status, headers, body: {} })).toMatchObject({ asset: asset.toLowerCase() });
    };
    expect(await gained(async () => pay(eurcAddress))).toEqual([0n, 2_000n]);
    expect(await gained(async () => pay(usdcAddress))).toEqual([2_000n, 0n]);
  }, 60_000);

  it.each(['v1', 'v2'] as const)(
    'takes one asset for the price of no other, by signature and by claim (%s)',
    async (as) => {
      const at = await start();
      const moved = await gained(async () => {
        const dear = await inEurc(2_000n);
        expect((await call(at, '/book', { headers: dear[as] })).body['code']).toBe('payment/mismatched');
        const cheap = await signPayment(ground, payer, { value: 1_800n });
        expect((await call(at, '/book', { headers: cheap[as] })).body['code']).toBe('payment/mismatched');
        const good = await inEurc(1_800n);
        const answer = await call(at, '/book', { headers: good[as] });
        expect(await verifiedReceipt(at, answer)).toMatchObject({ asset: eurc, amount: '1800' });
        const again = await call(at, '/book', { headers: good[as] });
        expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
      });
      expect(moved).toEqual([0n, 1_800n]);
    },
    20_000,
  );

  it('refuses a payment that says EURC and is signed for USDC, before anything is claimed', async () => {
    const at = await start();
    const usdcSigned = await signPayment(ground, payer, { value: 1_800n });
    const claim = JSON.parse(Buffer.from(usdcSigned.v2['payment-signature'] ?? '', 'base64').toString()) as {
      accepted: object;
    };
    claim.accepted = { ...claim.accepted, asset: eurcAddress };
    const headers = { 'payment-signature': Buffer.from(JSON.stringify(claim)).toString('base64') };
    const answer = await call(at, '/book', { headers });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/invalid-signature']);
    expect(await rows(ground.database.url, 'select 1 from keyfare.payment')).toEqual([]);
  });

  it('a wallet of code pays in EURC in both versions: version 1 takes the asset of the offer that fits', async () => {
    const at = await start();
    const wallet = `0x${randomBytes(20).toString('hex')}` as const;
    await installWallet(ground.chain.rpcUrl, wallet, payer.address);
    await mintUsdc(ground.chain.rpcUrl, wallet, 5_000n, eurcAddress);
    for (const version of ['v1', 'v2'] as const) {
      const signed = await signPayment(ground, payer, { from: wallet, value: 1_800n, domain: eurcDomain });
      const answer = await call(at, '/book', { headers: signed[version] });
      expect(await verifiedReceipt(at, answer)).toMatchObject({ payer: wallet, asset: eurc, status: 200 });
    }
    expect(await usdcBalance(ground.chain.rpcUrl, wallet, eurcAddress)).toBe(1_400n);
  }, 20_000);

  it('collects deferred payments in both assets with one transaction, and each moves in its own', async () => {
    const at = await start();
    const other = await fundedPayer(ground.chain, 61);
    await mintUsdc(ground.chain.rpcUrl, other.address, 10_000n, eurcAddress);
    const transactions = () =>
      rows<{ asset: string; count: string }>(
        ground.database.url,
        `select asset, count(*), count(*) over () as assets, min(transaction) as transaction from keyfare.payment
          where state = 'final' group by asset order by asset`,
      );
    const moved = await gained(async () => {
      for (const by of [payer, other]) {
        for (const headers of [(await inEurc(2_000n, by)).v2, (await signPayment(ground, by, { value: 2_000n })).v1]) {
          expect((await call(at, '/loan', { headers })).status).toBe(200);
        }
      }
      expect(await settled(async () => (await transactions()).length, 2)).toBe(2);
    });
    expect(moved).toEqual([4_000n, 4_000n]);
    const found = await transactions();
    expect(found.map(({ asset, count }) => [asset, count])).toEqual(
      [usdc, eurc].toSorted().map((asset) => [asset, '2']),
    );
    const hashes = await rows(ground.database.url, 'select distinct transaction from keyfare.payment');
    expect(hashes).toHaveLength(1);
  }, 30_000);

  it('what a payer has open in one asset uses up no limit of the other', async () => {
    const at = await start({ DEFERRED_COUNT: '1000', MAX_OPEN_PER_PAYER_USD: '0.002' });
    const loan = async (headers: Record<string, string>): Promise<unknown> => {
      const { status, body } = await call(at, '/loan', { headers });
      return status === 200 ? status : body['code'];
    };
    expect(await loan((await inEurc(2_000n)).v1)).toBe(200);
    expect(await loan((await signPayment(ground, payer, { value: 2_000n })).v1)).toBe(200);
    expect(await loan((await inEurc(2_000n)).v2)).toBe(200);
    expect(await loan((await inEurc(2_000n)).v2)).toBe('payment/exposure-exceeded');
    expect(await loan((await signPayment(ground, payer, { value: 2_000n })).v2)).toBe('payment/exposure-exceeded');
  }, 20_000);

  it('deferred payments of one asset are collected when they come to enough in it, never for the sum of both', async () => {
    const at = await start({ DEFERRED_COUNT: '1000', DEFERRED_AMOUNT_USD: '0.003', DEFERRED_AMOUNT_EUR: '0.004' });
    for (const headers of [(await inEurc(2_000n)).v2, (await signPayment(ground, payer, { value: 2_000n })).v2]) {
      expect((await call(at, '/loan', { headers })).status).toBe(200);
    }
    const final = async (): Promise<number> =>
      (await rows(ground.database.url, `select 1 from keyfare.payment where state = 'final'`)).length;
    const looks = jest.spyOn(at.app.get(PaymentLedger), 'waiting');
    expect(await settled(async () => looks.mock.calls.length >= 3, true)).toBe(true);
    looks.mockRestore();
    expect(await final()).toBe(0);
    expect((await call(at, '/loan', { headers: (await inEurc(2_000n)).v2 })).status).toBe(200);
    expect(await settled(final, 3)).toBe(3);
  }, 30_000);

  it('gas is weighed against a payment in its own currency', async () => {
    const at = await start({ MAX_GAS_PERCENT: '100', ETHER_PRICE_EUR: '900000000', ETHER_PRICE_USD: '0.000001' });
    const euros = await call(at, '/book', { headers: (await inEurc(1_800n)).v2 });
    expect([euros.status, euros.body['code']]).toEqual([503, 'payment/unprofitable']);
    const dollars = await call(at, '/book', { headers: (await signPayment(ground, payer, { value: 2_000n })).v2 });
    expect(dollars.status).toBe(200);
  }, 20_000);

  it('beyond a plan with a price in dollars the call is offered in USDC alone', async () => {
    const at = await start();
    const priced = await at.issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 500n });
    expect(asked(await call(at, '/book', withKey(priced.secret)))).toEqual([
      [usdcAddress, '500', { name: 'USDC', version: '2' }],
    ]);
    expect(asked(await call(at, '/pages', withKey(priced.secret)))).toEqual([
      [usdcAddress, '500', { name: 'USDC', version: '2' }],
    ]);
  });
});
