import type { LocalChain } from '@keyfare/devstack/chain';
import { choosePort } from '@keyfare/devstack/ports';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { openChain } from './index.js';
import type { RpcObserver } from './rpc-observer.js';

/** Notes what it hears. */
class Notes implements RpcObserver {
  readonly heard: string[] = [];

  began(method: string): (outcome: string) => void {
    this.heard.push(`began ${method}`);
    return (outcome) => this.heard.push(`${method} ${outcome}`);
  }

  sent(calls: number): void {
    this.heard.push(`sent ${calls}`);
  }
}

describe('the observer of a chain', () => {
  let node: LocalChain;
  beforeAll(async () => {
    node = await startTestChain();
  });
  afterAll(async () => node.kill());

  it('hears of each call and of the request it goes in; equal calls of one turn are one', async () => {
    const notes = new Notes();
    const chain = openChain({ rpcUrl: node.rpcUrl, chainId: 84_532, observer: notes });
    await Promise.all([chain.blockNumber(), chain.blockNumber(), chain.transactionCount(`0x${'11'.repeat(20)}`)]);
    expect(notes.heard).toEqual([
      'began eth_blockNumber',
      'began eth_getTransactionCount',
      'sent 2',
      'eth_blockNumber ok',
      'eth_getTransactionCount ok',
    ]);
    chain.close();
  });

  it('hears a refusal of the node, an answer of another chain, and no answer, each by its name', async () => {
    const cases = [
      { rpcUrl: node.rpcUrl, chainId: 84_532, outcome: 'eth_nonsense refused' },
      { rpcUrl: node.rpcUrl, chainId: 1, outcome: 'eth_nonsense wrong-chain' },
      { rpcUrl: `http://127.0.0.1:${await choosePort()}`, chainId: 84_532, outcome: 'eth_nonsense unavailable' },
    ];
    for (const { outcome, ...where } of cases) {
      const notes = new Notes();
      const chain = openChain({ ...where, observer: notes });
      await expect(chain.rpc.call('eth_nonsense', '[]')).rejects.toThrow();
      expect(notes.heard.at(-1)).toBe(outcome);
      chain.close();
    }
  });

  it('hears a call that would revert as one that was answered', async () => {
    const notes = new Notes();
    const chain = openChain({ rpcUrl: node.rpcUrl, chainId: 84_532, observer: notes });
    // PUSH0 PUSH0 REVERT, as the code of a contract's creation.
    await expect(chain.rpc.call('eth_call', '[{"data":"0x5f5ffd"},"latest"]')).rejects.toThrow();
    expect(notes.heard.at(-1)).toBe('eth_call ok');
    chain.close();
  });
});
