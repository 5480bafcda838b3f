import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findNetwork } from '@keyfare/core/x402';
import type { LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, installUsdc, mintUsdc, usdcAddress, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get } from '@nestjs/common';
import { type ClientEvmSigner, ExactEvmScheme, toClientEvmSigner } from '@x402/evm';
import { type SelectPaymentRequirements, wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { createPublicClient, defineChain, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { type Answer, call, decodeHeader, verifiedReceipt } from './requests.js';

const payWithVersion1 = fileURLToPath(new URL('../../../../interop/x402-v1/pay.mjs', import.meta.url));
const sei = findNetwork('sei-testnet');
const seiUsdc = sei?.usdc.checksumAddress ?? '0x';
const [author, seiAuthor] = [testPayer(41).address, testPayer(42).address];

@Controller()
class MarketController {
  @Priced({
    sku: 'map',
    price: '$0.002',
    accepts: [
      {},
      {
        payTo: author,
        price: { max: '$0.01', of: ({ query }) => (query['large'] === undefined ? '$0.003' : '$0.006') },
      },
      { network: 'sei-testnet', payTo: seiAuthor, price: '$0.004' },
    ],
  })
  @Get('map')
  map(): object {
    return { map: true };
  }
}

describe('a route that takes payments on two networks, for several payees', () => {
  let ground: Ground;
  let seiChain: LocalChain;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    [ground, seiChain] = await Promise.all([openGround(), startTestChain({ chainId: 1_328 })]);
    await installUsdc(seiChain.rpcUrl, seiUsdc);
    const settler = privateKeyToAccount(ground.env['SETTLER_PRIVATE_KEY'] as `0x${string}`);
    await fundEth(seiChain.rpcUrl, settler.address);
    payer = await fundedPayer(ground.chain, 40);
    await mintUsdc(seiChain.rpcUrl, payer.address, 1_000_000n, seiUsdc);
    const env = { NETWORKS: 'sei-testnet', RPC_URL_SEI_TESTNET: seiChain.rpcUrl };
    gate = await startGate(ground, { controllers: [MarketController], env });
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await seiChain.kill();
    await ground.close();
  }, 30_000);

  /** What the payees of the three offers have, in order. */
  const balances = async (): Promise<bigint[]> => [
    await usdcBalance(ground.chain.rpcUrl, ground.payTo),
    await usdcBalance(ground.chain.rpcUrl, author),
    await usdcBalance(seiChain.rpcUrl, seiAuthor, seiUsdc),
  ];
  /** What each of the payees got more by that work. */
  const gained = async (work: () => Promise<void>): Promise<bigint[]> => {
    const before = await balances();
    await work();
    return (await balances()).map((after, index) => after - (before[index] ?? 0n));
  };
  const signerOn = ({ chainId, rpcUrl }: LocalChain): ClientEvmSigner => {
    const nativeCurrency = { name: 'Ether', symbol: 'ETH', decimals: 18 };
    const chain = defineChain({ id: chainId, name: 'test', nativeCurrency, rpcUrls: { default: { http: [rpcUrl] } } });
    return toClientEvmSigner(payer.account, createPublicClient({ chain, transport: http(rpcUrl) }));
  };
  const payWithVersion2 = async (path: string, client: x402Client): Promise<Answer> => {
    const response = await wrapFetchWithPayment(fetch, client)(`${gate.url}${path}`);
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  };

  it('offers each of them in one 402, in both versions', async () => {
    const { headers, body } = await call(gate, '/map');
    expect(decodeHeader(headers, 'payment-required')['accepts']).toMatchObject([
      { network: 'eip155:84532', amount: '2000', payTo: ground.payTo, asset: usdcAddress },
      { network: 'eip155:84532', amount: '3000', payTo: author.toLowerCase(), asset: usdcAddress },
      { network: 'eip155:1328', amount: '4000', payTo: seiAuthor.toLowerCase(), asset: seiUsdc },
    ]);
    expect(body['accepts']).toMatchObject([
      { network: 'base-sepolia', maxAmountRequired: '2000' },
      { network: 'base-sepolia', maxAmountRequired: '3000' },
      { network: 'sei-testnet', maxAmountRequired: '4000' },
    ]);
  });

  it('the official client of version 2 pays where it has a wallet: each network settles on its own chain', async () => {
    const onBase = new x402Client().register('eip155:84532', new ExactEvmScheme(signerOn(ground.chain)));
    const paidOnBase = await gained(async () => {
      const answer = await payWithVersion2('/map', onBase);
      expect(await verifiedReceipt(gate, answer)).toMatchObject({ network: 'eip155:84532', amount: '2000' });
    });
    expect(paidOnBase).toEqual([2_000n, 0n, 0n]);
    const onSei = new x402Client().register('eip155:1328', new ExactEvmScheme(signerOn(seiChain)));
    const paidOnSei = await gained(async () => {
      const answer = await payWithVersion2('/map', onSei);
      expect(decodeHeader(answer.headers, 'payment-response')).toMatchObject({ success: true, network: 'eip155:1328' });
      expect(await verifiedReceipt(gate, answer)).toMatchObject({
        network: 'eip155:1328',
        asset: seiUsdc.toLowerCase(),
        payTo: seiAuthor.toLowerCase(),
        amount: '4000',
      });
    });
    expect(paidOnSei).toEqual([0n, 0n, 4_000n]);
  }, 20_000);

  it('the official client of version 2 pays the payee that it selects, at the price that its request has', async () => {
    const select: SelectPaymentRequirements = (_version, offers) => {
      const chosen = offers.find(({ payTo }) => payTo === author.toLowerCase());
      if (chosen === undefined) throw new Error('the author is not offered');
      return chosen;
    };
    const client = new x402Client(select).register('eip155:84532', new ExactEvmScheme(signerOn(ground.chain)));
    const paid = await gained(async () => {
      const answer = await payWithVersion2('/map?large', client);
      expect(await verifiedReceipt(gate, answer)).toMatchObject({ payTo: author.toLowerCase(), amount: '6000' });
    });
    expect(paid).toEqual([0n, 6_000n, 0n]);
  }, 20_000);

  it('the official client of version 1 pays on the network that it chooses', async () => {
    const pay = async (...network: string[]): Promise<unknown> => {
      const args = [payWithVersion1, `${gate.url}/map`, payer.privateKey, ...network];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { status, payment } = JSON.parse(stdout) as { status: number; payment: { network: string } };
      return [status, payment.network];
    };
    expect(
      await gained(async () => {
        expect(await pay('sei-testnet')).toEqual([200, 'sei-testnet']);
      }),
    ).toEqual([0n, 0n, 4_000n]);
    expect(
      await gained(async () => {
        expect(await pay('base-sepolia')).toEqual([200, 'base-sepolia']);
      }),
    ).toEqual([2_000n, 0n, 0n]);
  }, 60_000);
});
