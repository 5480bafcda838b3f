import { type EntryKind, type EntryPayloads, signEntry } from '@keyfare/core/log';
import { monthOf } from '@keyfare/core/time';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { makeSigner, sha256, usdc } from '../../test/log-documents.js';
import { verifyEd25519 } from '../verify-ed25519.js';
import { checkRow, type Verdict } from './check-row.js';
import type { FeedRow } from './feed.js';

const { signer, jwk } = makeSigner();
const checker = { keys: { keys: [jwk] }, verifyEd25519: verifyEd25519 };
const id = '01939fa8-6c00-4000-8000-000000000001';
const payer = `0x${'b'.repeat(40)}`;
const hash = `0x${'c'.repeat(64)}`;
const at = new Date('2026-11-21T10:00:00Z');

const call: EntryPayloads['call'] = {
  version: 1,
  id,
  rail: 'key',
  principal: 'acct_1',
  sku: 'forecast',
  method: 'GET',
  resourceUrl: 'http://api.test/v1/forecast',
  status: 200,
  units: 3,
  responseDigest: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  issuedAt: at.getTime() / 1_000,
};
const paid = {
  ...call,
  rail: 'x402' as const,
  principal: payer,
  payer,
  network: 'eip155:84532',
  transaction: hash,
  asset: usdc,
  decimals: 6,
  amount: '1000',
  payTo: payer,
  nonce: hash,
  settlement: 'settled' as const,
};
const terms: EntryPayloads['terms'] = {
  version: 1,
  id,
  account: 'acct_1',
  accountName: 'Acme',
  plan: { id: 'p', slug: 's', version: 1 },
  includedUnits: '1',
  overage: 'reject',
  overagePrice: '1',
  monthlyPrice: '1',
  effectiveAt: call.issuedAt,
  issuedAt: call.issuedAt,
};
const unpaid: EntryPayloads['unpaid'] = {
  version: 1,
  id,
  network: 'eip155:84532',
  payer,
  payTo: payer,
  asset: usdc,
  nonce: hash,
  amount: '1000',
  sku: 'forecast',
  method: 'GET',
  resourceUrl: call.resourceUrl,
  reason: 'payment/failed',
  issuedAt: call.issuedAt,
};

const keyUsage: Partial<FeedRow> = {
  usage_rail: 'key',
  usage_account: 'acct_1',
  usage_payer: null,
  usage_sku: 'forecast',
  usage_units: '3',
  usage_period_start: new Date('2026-11-01T00:00:00Z'),
  usage_occurred_at: at,
};
const paidUsage = { ...keyUsage, usage_rail: 'x402', usage_account: null, usage_payer: payer };
const noUsage = Object.fromEntries(Object.keys(keyUsage).map((name) => [name, null]));

function rowOf<Kind extends EntryKind>(
  kind: Kind,
  payload: EntryPayloads[Kind],
  changes: Partial<FeedRow> = {},
): FeedRow {
  const jws = signEntry(kind, payload, signer);
  const principal =
    kind === 'call' ? (payload as EntryPayloads['call']).principal : kind === 'terms' ? 'acct_1' : payer;
  const base = { place: '7', id, kind, principal, digest: sha256(jws), recorded_at: at, jws };
  return { ...base, ...noUsage, ...changes } as FeedRow;
}

function faultOf(row: FeedRow): string {
  const verdict: Verdict = checkRow(row, checker);
  return verdict.outcome === 'bad' ? verdict.fault : verdict.outcome;
}

describe('a row of the feed', () => {
  it('is good when document, entry and usage tell one story', () => {
    expect(checkRow(rowOf('call', call, keyUsage), checker)).toMatchObject({
      outcome: 'good',
      entry: { kind: 'call', id, place: 7n, usage: { units: 3n }, receipt: { units: 3 } },
    });
    expect(faultOf(rowOf('call', paid, paidUsage))).toBe('good');
    expect(faultOf(rowOf('call', { ...paid, account: 'acct_1' }, { ...paidUsage, usage_account: 'acct_1' }))).toBe(
      'good',
    );
    expect(faultOf(rowOf('terms', terms))).toBe('good');
    expect(faultOf(rowOf('unpaid', unpaid))).toBe('good');
  });

  it.each(['settlement', 'refund-due', 'reversed'] as const)(
    'of kind %s is good as it was signed, and of no other payer, id, token or usage',
    (kind) => {
      const { sku, method, resourceUrl, reason, ...money } = unpaid;
      const named = { ...money, call: call.id, transaction: hash };
      const payloads = {
        settlement: named,
        'refund-due': { ...money, transaction: hash, sku, method, resourceUrl, reason },
        reversed: { ...named, reason },
      };
      const payload = payloads[kind];
      expect(faultOf(rowOf(kind, payload))).toBe('good');
      expect(faultOf(rowOf(kind, payload, { principal: `0x${'e'.repeat(40)}` }))).toBe('receipt-invalid');
      expect(faultOf(rowOf(kind, payload, { id: id.replace('1', '2') }))).toBe('receipt-invalid');
      expect(faultOf(rowOf(kind, { ...payload, asset: `0x${'d'.repeat(40)}` }))).toBe('receipt-invalid');
      expect(faultOf(rowOf(kind, payload, paidUsage))).toBe('usage-mismatch');
      expect(faultOf(rowOf('unpaid', { ...unpaid, call: call.id }))).toBe('good');
    },
  );

  it('of a call on credit is good without a transaction', () => {
    const { transaction: _none, ...rest } = paid;
    expect(faultOf(rowOf('call', { ...rest, settlement: 'deferred' }, paidUsage))).toBe('good');
  });

  it('whose usage is dated as its receipt allows is good: as long before it as a call takes, on either rail', () => {
    const dated = (ms: number): Partial<FeedRow> => ({ usage_occurred_at: new Date(at.getTime() + ms) });
    const hour = 3_600_000;
    for (const [ms, fault] of [
      [-hour, 'good'],
      [-hour - 1, 'usage-mismatch'],
      [300_000, 'good'],
      [300_001, 'usage-mismatch'],
    ] as const) {
      expect(faultOf(rowOf('call', call, { ...keyUsage, ...dated(ms) }))).toBe(fault);
    }
    expect(faultOf(rowOf('call', paid, { ...paidUsage, ...dated(-24 * hour) }))).toBe('good');
    expect(faultOf(rowOf('call', paid, { ...paidUsage, ...dated(-26 * hour) }))).toBe('usage-mismatch');
  });

  it('whose id tells when its exchange opened is good with usage of that millisecond alone: it was signed', () => {
    const opened = '019aa62f-9900-7000-8000-000000000001';
    const ms = Number.parseInt('019aa62f9900', 16);
    const receipt = { ...call, id: opened, issuedAt: Math.floor(ms / 1_000) + 1 };
    const dated = (late: number): FeedRow =>
      rowOf('call', receipt, {
        ...keyUsage,
        id: opened,
        usage_period_start: monthOf(new Date(ms + late)).start,
        usage_occurred_at: new Date(ms + late),
      });
    expect(faultOf(dated(0))).toBe('good');
    for (const late of [-1, 1, -60_000, 60_000]) expect(faultOf(dated(late))).toBe('usage-mismatch');
  });

  it('of a payment beyond any sum of money is bad: no balance could hold many of them', () => {
    const amount = (10n ** 60n + 1n).toString();
    expect(faultOf(rowOf('call', { ...paid, amount }, paidUsage))).toBe('receipt-invalid');
    expect(faultOf(rowOf('unpaid', { ...unpaid, amount }))).toBe('receipt-invalid');
    expect(faultOf(rowOf('unpaid', { ...unpaid, amount: (10n ** 60n).toString() }))).toBe('good');
  });

  it('with a document that is gone, or another than the log holds the digest of, is told apart', () => {
    const other = signEntry('call', { ...call, units: 4 }, signer);
    expect(faultOf(rowOf('call', call, { ...keyUsage, jws: null }))).toBe('receipt-missing');
    expect(faultOf(rowOf('call', call, { ...keyUsage, jws: other }))).toBe('digest-mismatch');
    expect(faultOf(rowOf('call', call, { ...keyUsage, digest: sha256('') }))).toBe('digest-mismatch');
  });

  it('with a document that nobody signed is bad, one signed by a key that is not known must wait', () => {
    const row = rowOf('call', call, keyUsage);
    const jws = row.jws ?? '';
    const tampered = `${jws.slice(0, -3)}${jws.endsWith('AAA') ? 'BBB' : 'AAA'}`;
    expect(['receipt-invalid']).toContain(faultOf({ ...row, jws: tampered, digest: sha256(tampered) }));
    expect(checkRow(row, { ...checker, keys: { keys: [] } }).outcome).toBe('unknown-key');
    const impostor = makeSigner();
    const forged = signEntry('call', call, { ...impostor.signer, kid: jwk.kid });
    expect(faultOf({ ...row, jws: forged, digest: sha256(forged) })).toBe('receipt-invalid');
  });

  it.each(['id', 'principal', 'kind'])('whose document names another %s is bad', (name) => {
    const changes: Partial<FeedRow> =
      name === 'id'
        ? { id: id.replace('1', '2') }
        : name === 'principal'
          ? { principal: 'acct_2' }
          : { kind: 'unpaid', ...noUsage };
    expect(faultOf({ ...rowOf('call', call, keyUsage), ...changes })).toBe('receipt-invalid');
  });

  it('counts EURC on the network that it stands on, and nowhere else', () => {
    const eurc = '0x808456652fdb597867f38412077a9182bf77359f';
    expect(faultOf(rowOf('call', { ...paid, asset: eurc }, paidUsage))).toBe('good');
    expect(faultOf(rowOf('unpaid', { ...unpaid, asset: eurc }))).toBe('good');
    const onBase = { ...paid, network: 'eip155:8453' };
    expect(faultOf(rowOf('call', { ...onBase, asset: eurc }, paidUsage))).toBe('receipt-invalid');
    expect(faultOf(rowOf('call', { ...paid, asset: eurc, decimals: 2 }, paidUsage))).toBe('receipt-invalid');
  });

  it('counts no other token as USDC', () => {
    const other = `0x${'d'.repeat(40)}`;
    expect(faultOf(rowOf('call', { ...paid, asset: other }, paidUsage))).toBe('receipt-invalid');
    expect(faultOf(rowOf('call', { ...paid, network: 'eip155:1' }, paidUsage))).toBe('receipt-invalid');
    expect(faultOf(rowOf('call', { ...paid, decimals: 18 }, paidUsage))).toBe('receipt-invalid');
    expect(faultOf(rowOf('unpaid', { ...unpaid, asset: other }))).toBe('receipt-invalid');
  });

  it('takes no time that has no date', () => {
    expect(faultOf(rowOf('terms', { ...terms, effectiveAt: Number.MAX_SAFE_INTEGER }))).toBe('receipt-invalid');
    expect(faultOf(rowOf('unpaid', { ...unpaid, issuedAt: Number.MAX_SAFE_INTEGER }))).toBe('receipt-invalid');
  });

  it.each([
    { usage_units: '4' },
    { usage_sku: 'other' },
    { usage_account: 'acct_2' },
    { usage_period_start: new Date('2026-10-01T00:00:00Z') },
    { usage_occurred_at: new Date('2026-12-01T00:00:00Z') },
    { usage_rail: 'x402', usage_payer: payer },
    { usage_units: null },
    noUsage,
  ])('whose usage differs from the receipt is told: %j', (changes) => {
    expect(faultOf(rowOf('call', call, { ...keyUsage, ...changes }))).toBe('usage-mismatch');
  });

  it('with usage where none belongs is told', () => {
    expect(faultOf(rowOf('terms', terms, keyUsage))).toBe('usage-mismatch');
    expect(faultOf(rowOf('call', paid, { ...paidUsage, usage_account: 'acct_1' }))).toBe('usage-mismatch');
    expect(faultOf(rowOf('call', paid, { ...paidUsage, usage_payer: `0x${'e'.repeat(40)}` }))).toBe('usage-mismatch');
  });

  it('of a kind that a later version adds is kept as bad, not taken for another', () => {
    expect(faultOf({ ...rowOf('call', call, keyUsage), kind: 'refund' })).toBe('receipt-invalid');
  });

  it('is good only as it was written: with one bit changed in its document it is bad, whatever the digest', () => {
    const row = rowOf('call', paid, paidUsage);
    const bytes = Buffer.from(row.jws ?? '');
    for (let bit = 0; bit < bytes.length * 8; bit += 37) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const jws = changed.toString('latin1');
      expect(faultOf({ ...row, jws })).toMatch(/digest-mismatch|receipt-invalid/);
      expect(faultOf({ ...row, jws, digest: sha256(jws) })).toMatch(/receipt-invalid|unknown-key/);
    }
  });

  it('gets an answer, whatever it holds', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constant(null),
      fc.date(),
      fc.integer(),
      fc.uint8Array(),
      fc.constantFrom('call', 'terms'),
    );
    const change = fc.dictionary(fc.constantFrom(...Object.keys(rowOf('call', call, keyUsage))), value, { maxKeys: 3 });
    const whole = fc.constantFrom(rowOf('call', call, keyUsage), rowOf('call', paid, paidUsage), rowOf('terms', terms));
    fc.assert(
      fc.property(whole, change, (row, changes) => {
        const verdict = checkRow(Object.assign({}, row, changes), checker);
        expect(['good', 'bad', 'unknown-key']).toContain(verdict.outcome);
      }),
      { numRuns: 1_000 },
    );
  });
});
