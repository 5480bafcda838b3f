import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ExactEvmScheme, toClientEvmSigner } from '@x402/evm';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { createPublicClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';
import { DiscoveryModule } from '../src/discovery.module.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { decodeHeader, verifiedReceipt } from './requests.js';

const payWithVersion1 = fileURLToPath(new URL('../../../../interop/x402-v1/pay.mjs', import.meta.url));

describe('the official clients', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    // Their 402 says what the route takes and answers, which neither client may stumble over.
    gate = await startGate(ground, { imports: [DiscoveryModule.forRoot({ title: 'Test', description: 'Tests.' })] });
    payer = await fundedPayer(ground.chain, 1);
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);

  it('of version 2 (@x402/fetch) pays and is served', async () => {
    const before = await paid();
    const chain = createPublicClient({ chain: baseSepolia, transport: http(ground.chain.rpcUrl) });
    const client = new x402Client().register('eip155:*', new ExactEvmScheme(toClientEvmSigner(payer.account, chain)));
    const response = await wrapFetchWithPayment(fetch, client)(`${gate.url}/ping`);
    expect(response.status).toBe(200);
    expect(decodeHeader(response.headers, 'payment-response')).toMatchObject({
      success: true,
      network: 'eip155:84532',
    });
    const answer = { status: 200, headers: response.headers, body: {} };
    expect((await verifiedReceipt(gate, answer)).rail).toBe('x402');
    expect(await paid()).toBe(before + 1_000n);
  });

  it('of version 1 (x402-fetch) pays and is served', async () => {
    const before = await paid();
    const { stdout } = await promisify(execFile)(process.execPath, [
      payWithVersion1,
      `${gate.url}/ping`,
      payer.privateKey,
    ]);
    const answer = JSON.parse(stdout) as { status: number; receipt: string; payment: Record<string, unknown> };
    expect(answer.status).toBe(200);
    expect(answer.payment).toMatchObject({ success: true, network: 'base-sepolia' });
    const headers = new Headers({ 'keyfare-receipt': answer.receipt });
    expect((await verifiedReceipt(gate, { status: 200, headers, body: {} })).rail).toBe('x402');
    expect(await paid()).toBe(before + 1_000n);
  }, 30_000);
});
