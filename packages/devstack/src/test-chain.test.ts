import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { callRpc } from './chain/index.js';
import { fundedPayer } from './payers.js';
import { startTestChain } from './test-chain.js';
import { usdcAddress, usdcBalance } from './usdc.js';

/** What a call meets where nobody listens any more; a reset when the connection was still open. */
const gone: unknown = expect.stringMatching(/^(?:ECONNREFUSED|ECONNRESET)$/);

describe('startTestChain', () => {
  it('gives every caller a chain of its own with USDC on it', async () => {
    const [first, second] = await Promise.all([startTestChain(), startTestChain()]);
    expect(first.port).not.toBe(second.port);
    const payer = await fundedPayer(first, 1, 5n);
    expect(await usdcBalance(first.rpcUrl, payer.address)).toBe(5n);
    expect(await usdcBalance(second.rpcUrl, payer.address)).toBe(0n);
    expect(await callRpc(second.rpcUrl, 'eth_getCode', [usdcAddress, 'latest'])).not.toBe('0x');
    await Promise.all([first.kill(), second.stop()]);
    await expect(callRpc(first.rpcUrl, 'eth_chainId')).rejects.toMatchObject({ code: gone });
  });

  it('ends the chain of a test run that was killed', async () => {
    const module = new URL('./test-chain.js', import.meta.url).href;
    const program = `
      const { startTestChain } = await import(${JSON.stringify(module)});
      console.log((await startTestChain()).rpcUrl);
      setInterval(() => {}, 1000);`;
    const run = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const rpcUrl = String((await once(run.stdout, 'data'))[0]).trim();
    run.kill('SIGKILL');
    await once(run, 'exit');
    // Another test run may have ended it already.
    expect(['0x14a34', null]).toContain(await callRpc(rpcUrl, 'eth_chainId').catch(() => null));
    const chain = await startTestChain();
    await expect(callRpc(rpcUrl, 'eth_chainId')).rejects.toMatchObject({ code: gone });
    await chain.kill();
  });
});
