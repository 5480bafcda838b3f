import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { Hex } from 'viem';
import { makeArea } from '../../test/area.js';
import { isAlive, parseIdentity } from '../identity.js';
import { hasPaymentBatch, paymentBatchAddress } from '../payment-batch.js';
import { choosePort, PortTaken } from '../ports.js';
import { fundEth, hasTokens, mintUsdc, usdcAddress, usdcBalance } from '../usdc.js';
import { type ChainOptions, callRpc, type LocalChain, startChain, stopChain } from './index.js';

const area = makeArea();
const holder = '0x00000000000000000000000000000000000000aa';
const running: LocalChain[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map(async (chain) => await chain.kill()));
});
afterAll(area.remove);

async function start(options: Partial<ChainOptions> = {}): Promise<LocalChain> {
  const chain = await startChain({ port: await choosePort(), ...options });
  running.push(chain);
  return chain;
}

async function blockNumber(chain: LocalChain, tag = 'latest'): Promise<number> {
  const block = (await callRpc(chain.rpcUrl, 'eth_getBlockByNumber', [tag, false])) as { number: Hex };
  return Number(block.number);
}

/** Until the node has written a state that it began after this moment: the one under way may be older, so two. */
async function waitForDump(statePath: string): Promise<void> {
  for (let dump = 0; dump < 2; dump += 1) {
    const now = Date.now();
    while ((statSync(statePath, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= now) await new Promise(setImmediate);
    while (!readFileSync(statePath, 'utf8').endsWith('}')) await new Promise(setImmediate);
  }
}

describe('startChain', () => {
  it('gives a chain with the id of Base Sepolia and USDC at its address, a block for each transaction', async () => {
    const chain = await start();
    expect(Number(await callRpc(chain.rpcUrl, 'eth_chainId'))).toBe(84_532);
    await mintUsdc(chain.rpcUrl, holder, 5_000_000n);
    await mintUsdc(chain.rpcUrl, holder, 1n);
    expect(await usdcBalance(chain.rpcUrl, holder)).toBe(5_000_001n);
    expect(await blockNumber(chain)).toBe(2);
  });

  it('begins at the time that it is given', async () => {
    const genesisTime = new Date('2026-03-01T00:00:00Z');
    const chain = await start({ genesisTime });
    const block = (await callRpc(chain.rpcUrl, 'eth_getBlockByNumber', ['earliest', false])) as { timestamp: Hex };
    expect(Number(block.timestamp)).toBe(genesisTime.getTime() / 1_000);
  });

  it('makes blocks by the clock when asked to', async () => {
    const chain = await start({ blockTimeSeconds: 1 });
    await mintUsdc(chain.rpcUrl, holder, 1n);
    expect(await blockNumber(chain)).toBeGreaterThan(0);
  });

  it('finalizes two blocks behind the head, and mines on demand', async () => {
    const chain = await start();
    await chain.mine(5);
    expect(await blockNumber(chain)).toBe(5);
    expect(await blockNumber(chain, 'safe')).toBe(4);
    expect(await blockNumber(chain, 'finalized')).toBe(3);
  });

  it('refuses a port where somebody listens, without a word to whoever it is', async () => {
    const heard: string[] = [];
    const stranger = createServer((request, response) => {
      heard.push(request.url ?? '');
      response.end('{}');
    });
    const port = await choosePort();
    await new Promise<void>((resolve) => void stranger.listen(port, '127.0.0.1', resolve));
    const statePath = join(area.path, 'stranger', 'state.json');
    await expect(startChain({ port, statePath })).rejects.toThrow(new PortTaken(port));
    expect(heard).toEqual([]);
    await new Promise((resolve) => void stranger.close(resolve));
  });

  it('refuses the port of another chain of the same kind: same id, same USDC, not of this home', async () => {
    const theirs = await start({ statePath: join(area.path, 'theirs', 'state.json') });
    const statePath = join(area.path, 'ours', 'state.json');
    await expect(startChain({ port: theirs.port, statePath })).rejects.toThrow(new PortTaken(theirs.port));
    expect(isAlive(theirs.node)).toBe(true);
  });

  it('adopts the chain that the home runs already, wherever it listens', async () => {
    const statePath = join(area.path, 'adopted', 'state.json');
    const first = await start({ statePath });
    const [second, third] = await Promise.all([start({ statePath }), start({ statePath })]);
    for (const chain of [second, third]) {
      expect(chain).toMatchObject({ startedHere: false, port: first.port, node: first.node });
    }
  });

  it('starts one chain for several callers at once', async () => {
    const statePath = join(area.path, 'race', 'state.json');
    const chains = await Promise.all([start({ statePath }), start({ statePath }), start({ statePath })]);
    expect(chains.filter(({ startedHere }) => startedHere)).toHaveLength(1);
    expect(new Set(chains.map(({ node }) => node.pid)).size).toBe(1);
  });

  it('goes on where it stopped', async () => {
    const statePath = join(area.path, 'stopped', 'state.json');
    const before = await start({ statePath });
    const hash = await mintUsdc(before.rpcUrl, holder, 7n);
    await before.stop();
    const after = await start({ statePath });
    expect(after).toMatchObject({ startedHere: true, restoredFrom: 'state' });
    expect(await usdcBalance(after.rpcUrl, holder)).toBe(7n);
    expect(await callRpc(after.rpcUrl, 'eth_getTransactionReceipt', [hash])).toMatchObject({ status: '0x1' });
    await mintUsdc(after.rpcUrl, holder, 1n);
    expect(await blockNumber(after)).toBe(2);
  });

  it('puts today’s contracts on the state, and into the place of the running chain, of an older version', async () => {
    const statePath = join(area.path, 'older', 'state.json');
    const before = await start({ statePath });
    await mintUsdc(before.rpcUrl, holder, 7n);
    await callRpc(before.rpcUrl, 'anvil_setCode', [paymentBatchAddress, '0x']);
    await callRpc(before.rpcUrl, 'anvil_setCode', [usdcAddress, '0x00']);
    const after = await start({ statePath });
    expect(isAlive(before.node)).toBe(false);
    expect(after).toMatchObject({ startedHere: true, restoredFrom: 'state' });
    expect(await hasPaymentBatch(after.rpcUrl)).toBe(true);
    expect(await hasTokens(after.rpcUrl)).toBe(true);
    expect(await usdcBalance(after.rpcUrl, holder)).toBe(7n);
  });

  it('loses only the blocks since the last write when it is killed', async () => {
    const statePath = join(area.path, 'killed', 'state.json');
    const before = await start({ statePath });
    await mintUsdc(before.rpcUrl, holder, 7n);
    await waitForDump(statePath);
    await before.kill();
    const after = await start({ statePath });
    expect(after.restoredFrom).toBe('state');
    expect(await usdcBalance(after.rpcUrl, holder)).toBe(7n);
  });

  it('starts from the previous copy when a kill left half a state file, and keeps the half for inspection', async () => {
    const statePath = join(area.path, 'half', 'state.json');
    const before = await start({ statePath });
    await mintUsdc(before.rpcUrl, holder, 7n);
    await before.stop();
    const middle = await start({ statePath }); // copies what it starts from
    await middle.kill();
    const text = readFileSync(statePath, 'utf8');
    writeFileSync(statePath, text.slice(0, text.length / 2));
    const after = await start({ statePath });
    expect(after.restoredFrom).toBe('previous');
    expect(await usdcBalance(after.rpcUrl, holder)).toBe(7n);
    expect(statSync(`${statePath}.damaged`).size).toBe(Math.floor(text.length / 2));
  });

  it('copies the state while it runs, so that half a file costs a second or two', async () => {
    const statePath = join(area.path, 'copied', 'state.json');
    const before = await start({ statePath });
    await mintUsdc(before.rpcUrl, holder, 9n);
    await waitForDump(statePath);
    const now = Date.now();
    while ((statSync(`${statePath}.previous`, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= now) {
      await new Promise(setImmediate);
    }
    await before.kill();
    writeFileSync(statePath, '');
    const after = await start({ statePath });
    expect(after.restoredFrom).toBe('previous');
    expect(await usdcBalance(after.rpcUrl, holder)).toBe(9n);
  });

  it('begins anew when there is half a file and no copy', async () => {
    const statePath = join(area.path, 'first-write', 'state.json');
    await (await start({ statePath })).kill();
    writeFileSync(statePath, '{"block":{"num');
    writeFileSync(`${statePath}.previous`, '');
    const after = await start({ statePath });
    expect(after.restoredFrom).toBe('nothing');
    expect(await blockNumber(after)).toBe(0);
  });

  it('ends the node of a start that was killed before it was ready, and starts from its state', async () => {
    const statePath = join(area.path, 'cut-short', 'state.json');
    const module = new URL('./index.js', import.meta.url).href;
    const program = `
      const { startChain } = await import(${JSON.stringify(module)});
      await startChain({
        port: ${String(await choosePort())},
        statePath: ${JSON.stringify(statePath)},
        onSpawn: (node) => { console.log(JSON.stringify(node)); process.kill(process.pid, 'SIGKILL'); },
      });`;
    const run = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [[line]] = (await Promise.all([once(run.stdout, 'data'), once(run, 'exit')])) as [[Buffer], unknown];
    const orphan = parseIdentity(JSON.parse(line.toString()));
    if (orphan === null) throw new Error('the killed start told its node');
    expect(isAlive(orphan)).toBe(true);
    const chain = await start({ statePath });
    expect(chain.startedHere).toBe(true);
    expect(isAlive(orphan)).toBe(false);
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith(`keyfare-anvil-${String(run.pid)}-`));
    expect(left).toEqual([]);
  });

  it('replaces its own chain when that has another id than asked for', async () => {
    const statePath = join(area.path, 'other-id', 'state.json');
    const before = await start({ statePath, chainId: 31_337 });
    const after = await start({ statePath });
    expect(after.startedHere).toBe(true);
    expect(isAlive(before.node)).toBe(false);
  });
});

describe('a running chain', () => {
  it('answers nothing while it is paused, and everything afterwards', async () => {
    const chain = await start();
    await chain.pause();
    let answered = false;
    const answer = callRpc(chain.rpcUrl, 'eth_chainId').then((id) => {
      answered = true;
      return id;
    });
    for (let turn = 0; turn < 1000; turn += 1) await new Promise(setImmediate);
    expect(answered).toBe(false);
    chain.resume();
    expect(await answer).toBe('0x14a34');
  });

  it('stops even when it is paused', async () => {
    const chain = await start();
    await chain.pause();
    await chain.stop();
    expect(isAlive(chain.node)).toBe(false);
    await chain.stop();
  });

  it('is stopped by another process than its starter, which knows only the home', async () => {
    const statePath = join(area.path, 'elsewhere', 'state.json');
    const chain = await start({ statePath });
    await stopChain(statePath);
    expect(isAlive(chain.node)).toBe(false);
    await stopChain(join(area.path, 'never', 'state.json'));
  });

  it('takes ETH for any account', async () => {
    const chain = await start();
    await fundEth(chain.rpcUrl, holder, 123n);
    expect(await callRpc(chain.rpcUrl, 'eth_getBalance', [holder, 'latest'])).toBe('0x7b');
    expect(await callRpc(chain.rpcUrl, 'eth_getCode', [usdcAddress, 'latest'])).not.toBe('0x');
  });

  it('says what was wrong with a call', async () => {
    const chain = await start();
    await expect(callRpc(chain.rpcUrl, 'eth_nonsense')).rejects.toMatchObject({ name: 'RpcError', code: -32_601 });
  });
});
