import type { Hex } from '@keyfare/core/encoding';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { pad, toEventSelector } from 'viem';
import { usdc } from '../../test/bench.js';
import { type Log, pairTransfers, readLog, topics } from './transfers.js';

const payer = '0x00000000000000000000000000000000000000aa';
const other = '0x00000000000000000000000000000000000000cc';
const payee = '0x00000000000000000000000000000000000000bb';
const nonce: Hex = `0x${'77'.repeat(32)}`;
const hash: Hex = `0x${'88'.repeat(32)}`;

function log(logIndex: number, changes: Partial<Log>): Log {
  return {
    address: usdc,
    topics: [],
    data: '0x',
    logIndex,
    blockNumber: 1n,
    blockHash: hash,
    transactionHash: hash,
    ...changes,
  };
}

const used = (logIndex: number, authorizer: Hex = payer, changes: Partial<Log> = {}) =>
  log(logIndex, { topics: [topics.authorizationUsed, pad(authorizer), nonce], ...changes });
const moved = (logIndex: number, from: Hex = payer, changes: Partial<Log> = {}) =>
  log(logIndex, { topics: [topics.transfer, pad(from), pad(payee)], data: pad('0x0a'), ...changes });

const nonces = (logs: readonly Log[]) => pairTransfers(logs).map(({ authorization }) => authorization?.nonce ?? null);

describe('topics', () => {
  it('are the hashes of the events of ERC-20 and EIP-3009', () => {
    expect(topics).toEqual({
      transfer: toEventSelector('Transfer(address,address,uint256)'),
      authorizationUsed: toEventSelector('AuthorizationUsed(address,bytes32)'),
      authorizationCanceled: toEventSelector('AuthorizationCanceled(address,bytes32)'),
    });
  });
});

describe('pairTransfers', () => {
  it('pairs a transfer with the authorization used immediately before it', () => {
    expect(pairTransfers([used(4), moved(5)])).toEqual([
      { asset: usdc, from: payer, to: payee, value: 10n, logIndex: 5, authorization: { authorizer: payer, nonce } },
    ]);
  });

  it('pairs each of several in one transaction with its own, in whatever order the logs come', () => {
    const second: Hex = `0x${'99'.repeat(32)}`;
    const logs = [
      used(1),
      moved(2),
      used(3, payer, { topics: [topics.authorizationUsed, pad(payer), second] }),
      moved(4),
    ];
    expect(nonces(logs)).toEqual([nonce, second]);
    expect(nonces(logs.toReversed())).toEqual([nonce, second]);
  });

  it.each([
    ['there is none', [moved(1)]],
    ['it comes after', [moved(1), used(2)]],
    ['another log lies between', [used(1), log(2, {}), moved(3)]],
    ['the log between is missing from the list', [used(1), moved(3)]],
    ['another contract wrote it', [used(1, payer, { address: other }), moved(2)]],
    ['it is another payer’s', [used(1, other), moved(2)]],
    ['it was canceled', [log(1, { topics: [topics.authorizationCanceled, pad(payer), nonce] }), moved(2)]],
    [
      'it has a topic more',
      [used(1, payer, { topics: [topics.authorizationUsed, pad(payer), nonce, hash] }), moved(2)],
    ],
    ['it belongs to the transfer before', [used(1), moved(2), moved(3)].slice(1)],
  ])('pairs with no authorization when %s', (_, logs) => {
    expect(nonces(logs).filter((found) => found !== null)).toEqual([]);
  });

  it('gives one authorization to one transfer only', () => {
    expect(nonces([used(1), moved(2), moved(3)])).toEqual([nonce, null]);
  });

  it('takes no other event for a transfer', () => {
    const lookalikes = [
      moved(1, payer, { topics: [topics.transfer, pad(payer)] }),
      moved(2, payer, { topics: [topics.transfer, pad(payer), pad(payee), nonce], data: '0x' }), // ERC-721
      moved(3, payer, { data: '0x' }),
      moved(4, payer, { data: `${pad('0x0a')}00` }),
      moved(5, payer, { topics: [topics.transfer, hash, pad(payee)] }), // no address: more than 20 bytes
    ];
    expect(pairTransfers(lookalikes)).toEqual([]);
  });

  it('never pairs across a gap, a contract or a payer, whatever the logs are', () => {
    const anyLog = fc.record({
      kind: fc.constantFrom('used', 'moved', 'noise'),
      party: fc.constantFrom<Hex>(payer, other),
      address: fc.constantFrom<Hex>(usdc, other),
      step: fc.constantFrom(1, 1, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(anyLog, { maxLength: 12 }), (parts) => {
        let logIndex = 0;
        const logs = parts.map(({ kind, party, address, step }) => {
          logIndex += step;
          const make = { used, moved, noise: log }[kind];
          return kind === 'noise' ? log(logIndex, { address }) : (make as typeof used)(logIndex, party, { address });
        });
        for (const transfer of pairTransfers(logs)) {
          const before = logs.find((candidate) => candidate.logIndex === transfer.logIndex - 1);
          const expected =
            before?.topics[0] === topics.authorizationUsed &&
            before.address === transfer.asset &&
            before.topics[1] === pad(transfer.from);
          expect(transfer.authorization !== null).toBe(expected);
        }
      }),
    );
  });
});

describe('readLog', () => {
  const wire = {
    address: usdc,
    topics: [nonce],
    data: '0x',
    logIndex: '0x1',
    blockNumber: '0x2',
    blockHash: hash,
    transactionHash: hash,
    removed: false,
  };

  it('refuses a log that is in no block, or no longer in one', () => {
    expect(readLog(wire)).toMatchObject({ logIndex: 1, blockNumber: 2n });
    for (const change of [{ removed: true }, { blockHash: null }, { blockNumber: null }, { logIndex: null }]) {
      expect(() => readLog({ ...wire, ...change })).toThrow();
    }
  });

  it('throws nothing but ChainUnavailable for whatever else a node sends', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record(Object.fromEntries(Object.keys(wire).map((key) => [key, fc.jsonValue()])))),
        (value) => {
          expect(() => readLog(value)).toThrow(expect.objectContaining({ name: 'ChainUnavailable' }));
        },
      ),
    );
  });
});
