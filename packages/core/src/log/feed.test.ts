import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { codeOf } from '../../test/fuzz.js';
import { parseFeedEntry } from './index.js';

const at = new Date('2027-01-15T08:00:00.123Z');
const call = {
  place: '4294967296',
  id: '01939fa8-6c00-7000-8000-000000000001',
  kind: 'call',
  principal: 'acct_8fd1c2a4',
  digest: Buffer.alloc(32, 7),
  recorded_at: at,
  jws: 'aa.bb.cc',
  usage_rail: 'key',
  usage_account: 'acct_8fd1c2a4',
  usage_payer: null,
  usage_sku: 'forecast',
  usage_units: '3',
  usage_period_start: new Date('2027-01-01T00:00:00Z'),
  usage_occurred_at: at,
};
const noUsage = {
  usage_rail: null,
  usage_account: null,
  usage_payer: null,
  usage_sku: null,
  usage_units: null,
  usage_period_start: null,
  usage_occurred_at: null,
};
const payer = `0x${'1'.repeat(40)}`;

test('a call is read with its usage', () => {
  expect(parseFeedEntry(call)).toEqual({
    place: 4_294_967_296n,
    id: call.id,
    kind: 'call',
    principal: 'acct_8fd1c2a4',
    digest: call.digest,
    recordedAt: at,
    jws: 'aa.bb.cc',
    usage: {
      rail: 'key',
      account: 'acct_8fd1c2a4',
      payer: null,
      sku: 'forecast',
      units: 3n,
      periodStart: new Date('2027-01-01T00:00:00Z'),
      occurredAt: at,
    },
  });
});

test('terms and unpaid calls are read without usage, an erased document as null', () => {
  for (const kind of ['terms', 'unpaid']) {
    expect(parseFeedEntry({ ...call, ...noUsage, kind, jws: null })).toMatchObject({ kind, jws: null, usage: null });
  }
});

test('counts are read however the driver gives them, up to 64 bits', () => {
  const largest = 18_446_744_073_709_551_615n;
  for (const place of ['12', 12, 12n]) expect(parseFeedEntry({ ...call, place }).place).toBe(12n);
  expect(parseFeedEntry({ ...call, place: largest.toString() }).place).toBe(largest);
});

test('times are read as dates or as ISO 8601 text with a zone', () => {
  for (const time of ['2027-01-15T08:00:00.123Z', '2027-01-15T09:00:00.123+01:00']) {
    expect(parseFeedEntry({ ...call, recorded_at: time }).recordedAt).toEqual(at);
  }
});

test('a payer may pay for an account; usage without one who is charged is refused', () => {
  const x402 = { ...call, usage_rail: 'x402', usage_payer: payer };
  expect(parseFeedEntry(x402).usage).toMatchObject({ payer, account: 'acct_8fd1c2a4' });
  expect(parseFeedEntry({ ...x402, usage_account: null }).usage).toMatchObject({ payer, account: null });
  const nobody = [
    { ...x402, usage_payer: null },
    { ...call, usage_account: null },
    { ...call, usage_payer: payer },
  ];
  for (const row of nobody) expect(codeOf(() => parseFeedEntry(row))).toBe('log/malformed');
});

test('a free call is of a wallet or of nobody that is known, and of no account', () => {
  const free = { ...call, usage_rail: 'free', usage_account: null };
  for (const who of [payer, 'anonymous']) {
    expect(parseFeedEntry({ ...free, usage_payer: who }).usage).toMatchObject({
      rail: 'free',
      account: null,
      payer: who,
    });
  }
  for (const row of [
    { ...free, usage_payer: null },
    { ...free, usage_payer: payer, usage_account: 'acct_8fd1c2a4' },
  ]) {
    expect(codeOf(() => parseFeedEntry(row))).toBe('log/malformed');
  }
});

test('usage is there whole on a call, and on nothing else', () => {
  for (const name of ['usage_rail', 'usage_sku', 'usage_units', 'usage_period_start', 'usage_occurred_at']) {
    expect(codeOf(() => parseFeedEntry({ ...call, [name]: null }))).toBe('log/malformed');
    const partial = { ...call, ...noUsage, [name]: call[name as keyof typeof call] };
    expect(codeOf(() => parseFeedEntry({ ...partial, kind: 'terms' }))).toBe('log/malformed');
  }
});

test('a row with a column missing or of the wrong kind is refused', () => {
  for (const name of Object.keys(call)) {
    const { [name as keyof typeof call]: _gone, ...rest } = call;
    expect(codeOf(() => parseFeedEntry(rest))).toBe('log/malformed');
  }
  const wrong = [
    { place: '-1' },
    { place: '0x10' },
    { place: 1.5 },
    { id: 'receipt-1' },
    { kind: 'refund' },
    { digest: Buffer.alloc(31) },
    { digest: 'ab'.repeat(32) },
    { recorded_at: '2027-01-15' },
    { recorded_at: new Date(Number.NaN) },
    { usage_units: '-3' },
    { usage_rail: 'cash' },
  ];
  for (const changes of wrong) expect(codeOf(() => parseFeedEntry({ ...call, ...changes }))).toBe('log/malformed');
});

test('a column that a later version adds is left alone', () => {
  expect(parseFeedEntry({ ...call, region: 'eu' })).toEqual(parseFeedEntry(call));
});

test('whatever the row, it is read or refused with the code of the log', () => {
  const column = fc.constantFrom(...Object.keys(call), '__proto__', 'constructor');
  const value = fc.oneof(
    fc.jsonValue(),
    fc.date(),
    fc.bigInt(),
    fc.uint8Array(),
    fc.constantFrom('1', 'key', undefined),
  );
  const row = fc.oneof(
    fc.anything(),
    fc
      .array(fc.tuple(column, value), { maxLength: 3 })
      .map((changes) => Object.fromEntries([...Object.entries(call), ...changes])),
  );
  fc.assert(
    fc.property(row, (candidate) => {
      expect([null, 'log/malformed']).toContain(codeOf(() => parseFeedEntry(candidate)));
    }),
    { numRuns: 1000 },
  );
});
