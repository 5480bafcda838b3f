import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import type { TokenCode } from '@keyfare/core/money';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { deriveId } from '../derive-id.js';
import { type LedgerAccount, revenue, unidentifiedReceipts, x402Receivable } from './chart.js';
import {
  type BookedCall,
  type BookedTransfer,
  claimed,
  identificationOf,
  journalsOfCall,
  journalsOfOpening,
  journalsOfRefund,
  journalsOfTransfer,
  journalsOfTurn,
} from './flows.js';
import { compoundJournal, digestOf, type Journal, journalOf, reversalOf } from './journal.js';

const network = 'eip155:84532';
const payTo = '0xa';
const at = new Date('2026-11-21T10:00:00Z');
const call: BookedCall = {
  entryId: 'e1',
  rail: 'x402',
  account: null,
  network,
  deferred: false,
  sku: 'forecast',
  asset: 'USDC',
  amount: 1_000n,
  occurredAt: at,
};
const transfer: BookedTransfer = {
  id: 't1',
  network,
  asset: 'USDC',
  payTo,
  from: '0xb',
  to: payTo,
  value: 1_000n,
  authorized: true,
  claim: 'settled',
  blockTime: at,
};

/** What the journals come to, by account; an account at zero is left out. */
function balancesOf(journals: readonly Journal[]): Record<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { debit, credit, amount } of journals.flatMap(({ movements }) => movements)) {
    sums.set(debit.code, (sums.get(debit.code) ?? 0n) + amount);
    sums.set(credit.code, (sums.get(credit.code) ?? 0n) - amount);
  }
  return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0n).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a journal', () => {
  it('has the id of what it records, a UUID, and so can be written only once', () => {
    const [one] = journalsOfCall(call);
    expect(one?.id).toBe(journalsOfCall({ ...call, amount: 2n })[0]?.id);
    expect(one?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(deriveId('a')).not.toBe(deriveId('b'));
  });

  it('has another digest when anything of it is another', () => {
    const journal = journalOf({
      kind: 'call',
      source: 'call:e1',
      occurredAt: at,
      debit: x402Receivable(network, 'USDC'),
      credit: revenue('x402', 'forecast', 'USDC'),
      amount: 5n,
    });
    const others: Journal[] = [
      { ...journal, kind: 'opening' },
      { ...journal, source: 'call:e2' },
      { ...journal, occurredAt: new Date(at.getTime() + 1) },
      { ...journal, reverses: 'x' },
      { ...journal, movements: journal.movements.map((each) => ({ ...each, amount: each.amount * 2n })) },
      { ...journal, movements: reversalOf(journal).movements },
    ];
    const digests = [journal, ...others].map((each) => digestOf(each).toString('hex'));
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('that moves nothing, or one asset into another, is refused', () => {
    const common = { kind: 'call', source: 's', occurredAt: at } as const;
    const [debit, credit] = [x402Receivable(network, 'USDC'), revenue('x402', 'forecast', 'USDC')];
    expect(() => compoundJournal({ ...common, movements: [] })).toThrow(RangeError);
    for (const movement of [
      { debit, credit, amount: 0n },
      { debit, credit, amount: -1n },
      { debit, credit: debit, amount: 1n },
      { debit, credit: revenue('key', 'forecast', 'USD'), amount: 1n },
    ]) {
      expect(() => journalOf({ ...common, ...movement })).toThrow(RangeError);
    }
  });

  it('has the digest that it had when it was kept as signed lines', () => {
    const [journal] = journalsOfCall(call);
    if (journal === undefined) throw new Error('no journal');
    const asLines = (of: Journal, sign: bigint): string =>
      createHash('sha256')
        .update(
          canonicalJson({
            kind: of.kind,
            source: 'call:e1',
            occurredAt: at.toISOString(),
            reverses: of.reverses,
            postings: [
              ['x402-receivable:eip155:84532', 'USDC', (1_000n * sign).toString()],
              ['revenue:x402:forecast', 'USDC', (-1_000n * sign).toString()],
            ],
          }),
        )
        .digest('hex');
    expect(digestOf(journal).toString('hex')).toBe(asLines(journal, 1n));
    expect(digestOf(reversalOf(journal)).toString('hex')).toBe(asLines(reversalOf(journal), -1n));
  });

  it('and its reversal come to nothing', () => {
    const journals = [...journalsOfCall(call), ...journalsOfTransfer(transfer)];
    expect(balancesOf([...journals, ...journals.map(reversalOf)])).toEqual({});
  });
});

describe('the flows', () => {
  it('a paid call is a receivable until its transfer comes, and then money', () => {
    const booked = journalsOfCall(call);
    expect(balancesOf(booked)).toEqual({ 'revenue:x402:forecast': -1_000n, [`x402-receivable:${network}`]: 1_000n });
    expect(balancesOf([...booked, ...journalsOfTransfer(transfer)])).toEqual({
      'revenue:x402:forecast': -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it('a call by key is owed by its account, in dollars; one that the plan includes is no journal', () => {
    const byKey: BookedCall = { ...call, rail: 'key', account: 'acct_1', network: null, asset: 'USD', amount: 250n };
    expect(balancesOf(journalsOfCall(byKey))).toEqual({
      'revenue:key:forecast': -250n,
      'unbilled-receivable:acct_1': 250n,
    });
    expect(journalsOfCall({ ...byKey, amount: 0n })).toEqual([]);
  });

  it('money that nothing explains is a liability', () => {
    expect(balancesOf(journalsOfTransfer({ ...transfer, claim: 'none' }))).toEqual({
      [unidentifiedReceipts('USDC').code]: -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it('a transfer out is a withdrawal; the wallet’s plain transfer to itself moves nothing', () => {
    expect(
      balancesOf(journalsOfTransfer({ ...transfer, from: payTo, to: '0xb', authorized: false, claim: 'none' })),
    ).toEqual({
      'treasury-out': 1_000n,
      [`usdc:${network}:${payTo}`]: -1_000n,
    });
    expect(journalsOfTransfer({ ...transfer, from: payTo, authorized: false })).toEqual([]);
  });

  it('the wallet that pays itself settles its call and has not a cent more', () => {
    expect(balancesOf([...journalsOfCall(call), ...journalsOfTransfer({ ...transfer, from: payTo })])).toEqual({
      'revenue:x402:forecast': -1_000n,
      'treasury-out': 1_000n,
    });
  });

  it('a call on credit is a receivable of its own until its transfer comes', () => {
    const booked = journalsOfCall({ ...call, deferred: true });
    expect(balancesOf(booked)).toEqual({
      [`deferred-receivable:${network}`]: 1_000n,
      'revenue:x402:forecast': -1_000n,
    });
    expect(balancesOf([...booked, ...journalsOfTransfer({ ...transfer, claim: 'deferred' })])).toEqual({
      'revenue:x402:forecast': -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it('a call on credit that is given up stays earned, and is a loss', () => {
    const turn = {
      source: 'unpaid:u1',
      network,
      asset: 'USDC',
      sku: 'forecast',
      amount: 1_000n,
      occurredAt: at,
    } as const;
    const journals = [
      ...journalsOfCall({ ...call, deferred: true }),
      ...journalsOfTurn({ ...turn, kind: 'write-off' }),
    ];
    expect(balancesOf(journals)).toEqual({ 'revenue:x402:forecast': -1_000n, uncollected: 1_000n });
  });

  it('money for a call that was not served is owed back and earns nothing', () => {
    const refund = journalsOfRefund({ entryId: 'r1', network, asset: 'USDC', amount: 1_000n, issuedAt: at });
    expect(balancesOf([...refund, ...journalsOfTransfer(transfer)])).toEqual({
      'refunds-due': -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it.each([
    ['forecast', journalsOfCall(call)],
    [null, journalsOfRefund({ entryId: 'r1', network, asset: 'USDC', amount: 1_000n, issuedAt: at })],
  ] as const)(
    'a settlement that the chain dropped leaves nothing (%s), and one that moved again restores it',
    (sku, booked) => {
      const turn = { network, asset: 'USDC', sku, amount: 1_000n, occurredAt: at } as const;
      const dropped = journalsOfTurn({ ...turn, kind: 'dropped', source: 'reversed:x' });
      expect(balancesOf([...booked, ...dropped])).toEqual({});
      const restored = journalsOfTurn({ ...turn, kind: 'restored', source: 'settlement:y' });
      expect(balancesOf([...booked, ...dropped, ...restored])).toEqual(balancesOf(booked));
    },
  );

  it('EURC has accounts of its own: no account of one token is in a journal of the other, whatever happens to a payment', () => {
    const all = (asset: TokenCode): readonly Journal[] => {
      const turn = { network, asset, sku: 'forecast', amount: 1_000n, occurredAt: at } as const;
      return [
        ...journalsOfCall({ ...call, asset }),
        ...journalsOfCall({ ...call, asset, deferred: true }),
        ...journalsOfRefund({ entryId: 'r1', network, asset, amount: 1_000n, issuedAt: at }),
        ...(['settled', 'deferred', 'none'] as const).flatMap((claim) =>
          journalsOfTransfer({ ...transfer, asset, claim }),
        ),
        ...journalsOfTransfer({ ...transfer, asset, from: payTo, to: '0xb', authorized: false }),
        ...journalsOfOpening({ network, asset, payTo, balance: 5n, at }),
        ...(['write-off', 'dropped', 'restored'] as const).flatMap((kind) =>
          journalsOfTurn({ ...turn, kind, source: kind }),
        ),
        ...journalsOfTurn({ ...turn, sku: null, kind: 'dropped', source: 'd' }),
        identificationOf({
          ...transfer,
          debit: claimed('none', { ...transfer, asset }),
          credit: claimed('settled', { ...transfer, asset }),
          moves: 0,
        }),
      ];
    };
    const accountsOf = (journals: readonly Journal[]): readonly LedgerAccount[] =>
      journals.flatMap(({ movements }) => movements.flatMap(({ debit, credit }) => [debit, credit]));
    const [euros, coins] = [accountsOf(all('EURC')), accountsOf(all('USDC'))];
    expect(new Set(euros.map(({ asset }) => asset))).toEqual(new Set(['EURC']));
    expect(new Set(coins.map(({ asset }) => asset))).toEqual(new Set(['USDC']));
    const codes = new Set(coins.map(({ code }) => code));
    expect(euros.filter(({ code }) => codes.has(code))).toEqual([]);
    expect(new Set(euros.map(({ code }) => code)).size).toBe(codes.size);
    // A product may be called like the other token.
    expect(revenue('x402', 'forecast', 'EURC').code).not.toBe(revenue('x402', 'eurc:forecast', 'USDC').code);
  });
});
