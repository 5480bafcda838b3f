import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { formatAtomic } from './decimal.js';
import { hledgerAccount, hledgerEncoder, type LedgerLine } from './hledger.js';

const decimals = { USD: 6, USDC: 6, EURC: 6, ETH: 18 };
const hasTool = spawnSync('hledger', ['--version'], { stdio: 'ignore' }).status === 0;
// Where the tool is wanted, a machine without it fails.
const wantsTool = process.env['KEYFARE_HLEDGER'] === 'required';

function textOf(lines: readonly LedgerLine[]): string {
  const encoder = hledgerEncoder(decimals);
  return [...encoder.start(), ...lines.flatMap((line) => [...encoder.row(line)]), ...encoder.end()].join('');
}

function lineOf(values: Partial<LedgerLine>): LedgerLine {
  const at = new Date('2026-11-03T10:00:00Z');
  const call = { journal: 'j1', kind: 'call', source: 'call:1', effectiveAt: at, occurredAt: at };
  return { ...call, account: 'a', type: 'asset', asset: 'USD', amount: 1n, ...values };
}

const two = (journal: string | null, asset: string, amount: bigint): readonly LedgerLine[] => [
  lineOf({ journal, asset, amount, account: `cash-${asset}`, type: 'asset' }),
  lineOf({ journal, asset, amount: -amount, account: `revenue-${asset}:x402:map; x  y|z`, type: 'income' }),
];

describe('the hledger text', () => {
  it('has a transaction for each journal, and one of what the accounts held before', () => {
    expect(textOf([...two(null, 'USD', 5n), ...two('j1', 'USD', 1_500_000n)])).toBe(`commodity 1.000000 USD
commodity 1.000000 USDC
commodity 1.000000 EURC
commodity 1.000000000000000000 ETH

2026-11-03 * opening balances
    Assets:cash-USD  0.000005 USD
    Income:revenue-USD:x402:map%3B%20x%20%20y%7Cz  -0.000005 USD

2026-11-03 * (j1) call | call:1
    ; occurred: 2026-11-03T10:00:00.000Z
    Assets:cash-USD  1.500000 USD
    Income:revenue-USD:x402:map%3B%20x%20%20y%7Cz  -1.500000 USD
`);
  });

  it('names each account apart from every other', () => {
    const code = fc.oneof(
      fc.string({ unit: fc.constantFrom(':', '%', ' ', '(', 'a', '3', 'B', '*', "'") }),
      fc.string({ unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(code, code, (left, right) => {
        const [a, b] = [left, right].map((account) => hledgerAccount({ type: 'asset', account }));
        expect(a === b).toBe(left === right);
        expect(a).toMatch(/^Assets:[\w.:@/+%-]+$/);
      }),
    );
  });
});

(hasTool || wantsTool ? describe : describe.skip)('the hledger text, in hledger', () => {
  it('balances to the smallest unit of assets with 6 and 18 decimals, whatever accounts are called', () => {
    const account = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0'));
    const movement = fc.record({
      debit: account,
      credit: account,
      asset: fc.constantFrom('USD', 'USDC', 'EURC', 'ETH'),
      amount: fc.bigInt({ min: 1n, max: 10n ** 30n }),
    });
    fc.assert(
      fc.property(fc.array(movement, { minLength: 1, maxLength: 20 }), (movements) => {
        const sums = new Map<string, bigint>();
        const add = (code: string, asset: string, amount: bigint): void => {
          const key = `${hledgerAccount({ type: 'asset', account: code })} ${asset}`;
          sums.set(key, (sums.get(key) ?? 0n) + amount);
        };
        const lines = movements.flatMap(({ debit, credit, asset, amount }, index) => {
          add(debit, asset, amount);
          add(credit, asset, -amount);
          const journal = `j${index}`;
          return [
            lineOf({ journal, asset, amount, account: debit }),
            lineOf({ journal, asset, amount: -amount, account: credit }),
          ];
        });
        const args = ['-f', '-', 'balance', '--flat', '--no-total', '--layout=bare', '-O', 'csv'];
        const { status, stdout, stderr } = spawnSync('hledger', args, {
          input: textOf(lines),
          encoding: 'utf8',
          env: { ...process.env, LANG: 'C.UTF-8' },
        });
        expect([status, stderr]).toEqual([0, '']);
        const told = stdout
          .trim()
          .split('\n')
          .slice(1)
          .map((row) => row.replaceAll('"', '').split(','))
          .map(([name, asset, amount]) => `${name} ${asset} ${amount}`);
        const expected = [...sums]
          .filter(([, sum]) => sum !== 0n)
          .map(([key, sum]) => {
            const asset = key.slice(key.lastIndexOf(' ') + 1) as keyof typeof decimals;
            return `${key} ${formatAtomic(sum, decimals[asset])}`;
          });
        expect(told.toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});
