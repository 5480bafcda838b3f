import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { documentOf, signer, vectors, verifyWithOpenSsl } from '../../test/documents.js';
import { anyMutation, anyText, codeOf, flipBit } from '../../test/fuzz.js';
import { decodeBase64Url, encodeBase64Url } from '../encoding/index.js';
import { type EntryKind, type EntryPayloads, parseEntry, signEntry, verifyEntry } from './index.js';

const { jwks: keys } = vectors;
const kinds: readonly EntryKind[] = ['call', 'terms', 'unpaid', 'settlement', 'refund-due', 'reversed'];
const terms = documentOf('terms').payload as EntryPayloads['terms'];
const unpaid = documentOf('an unpaid call').payload as EntryPayloads['unpaid'];

test.each(vectors.documents)(
  '$title is signed to the very text of the vector, and verifies',
  ({ kind, payload, jws }) => {
    expect(signEntry(kind, payload as EntryPayloads[EntryKind], signer)).toBe(jws);
    expect(verifyEntry(jws, { kind, keys })).toEqual({ ok: true, payload, kid: signer.kid });
    expect(parseEntry(kind, jws).payload).toEqual(payload);
  },
);

test('an entry never passes for one of another kind, though well signed', () => {
  for (const document of vectors.documents) {
    for (const kind of kinds.filter((other) => other !== document.kind)) {
      expect(verifyEntry(document.jws, { kind, keys })).toMatchObject({ ok: false, reason: 'malformed' });
      expect(codeOf(() => parseEntry(kind, document.jws))).toBe('log/malformed');
    }
  }
});

test('one flipped bit in the signature of an entry spoils it', () => {
  for (const { kind, jws } of vectors.documents) {
    const at = jws.lastIndexOf('.') + 1;
    const signature = decodeBase64Url(jws.slice(at));
    for (let bit = 0; bit < 512; bit += 61) {
      const changed = jws.slice(0, at) + encodeBase64Url(flipBit(signature, bit));
      expect(verifyEntry(changed, { kind, keys })).toMatchObject({ ok: false, reason: 'bad-signature' });
    }
  }
});

test('terms outside the schema are never signed', () => {
  const wrong: readonly object[] = [
    { ...terms, includedUnits: 100_000 },
    { ...terms, includedUnits: '-1' },
    { ...terms, overagePrice: '0.25' },
    { ...terms, overage: 'free' },
    { ...terms, accountName: 'Evil\r\nCorp' },
    { ...terms, accountName: '' },
    { ...terms, accountName: '\ud800' },
    { ...terms, plan: { ...terms.plan, price: '1' } },
    { ...terms, effectiveAt: 1.5 },
    { ...terms, note: 'x' },
  ];
  for (const payload of wrong) {
    expect(() => signEntry('terms', payload as EntryPayloads['terms'], signer)).toThrow(TypeError);
  }
});

test('an unpaid call may have no transaction, and nothing else may be missing', () => {
  const { transaction: _hash, ...without } = unpaid;
  expect(parseEntry('unpaid', signEntry('unpaid', without, signer)).payload).toEqual(without);
  for (const name of Object.keys(without)) {
    const { [name as keyof typeof without]: _gone, ...rest } = without;
    expect(() => signEntry('unpaid', rest as EntryPayloads['unpaid'], signer)).toThrow(TypeError);
  }
});

const call = '01939fa8-6c00-7000-8000-000000000001';
const transaction = `0x${'ab'.repeat(32)}` as const;
const { sku, method, resourceUrl, reason, transaction: _none, ...money } = unpaid;
const later: { readonly [Kind in 'settlement' | 'refund-due' | 'reversed']: EntryPayloads[Kind] } = {
  settlement: { ...money, call, transaction },
  'refund-due': { ...money, transaction, sku, method, resourceUrl, reason },
  reversed: { ...money, call, transaction, reason },
};

test.each(['settlement', 'refund-due', 'reversed'] as const)(
  'a %s entry is signed and verified whole, and refused with any member missing or added',
  (kind) => {
    const payload = later[kind];
    const jws = signEntry(kind, payload, signer);
    expect(verifyEntry(jws, { kind, keys })).toEqual({ ok: true, payload, kid: signer.kid });
    for (const name of Object.keys(payload)) {
      const { [name as keyof typeof payload]: _gone, ...rest } = payload;
      expect(() => signEntry(kind, rest as typeof payload, signer)).toThrow(TypeError);
    }
    expect(() => signEntry(kind, Object.assign({ note: 'x' }, payload), signer)).toThrow(TypeError);
  },
);

test('terms may count their revision, and an unpaid call may name the receipt of the call', () => {
  expect(parseEntry('terms', signEntry('terms', { ...terms, revision: 3 }, signer)).payload.revision).toBe(3);
  expect(() => signEntry('terms', { ...terms, revision: -1 }, signer)).toThrow(TypeError);
  expect(parseEntry('unpaid', signEntry('unpaid', { ...unpaid, call }, signer)).payload.call).toBe(call);
});

test('a name in any script is carried as it is', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));
  fc.assert(
    fc.property(name, (accountName) => {
      const jws = signEntry('terms', { ...terms, accountName }, signer);
      expect(parseEntry('terms', jws).payload.accountName).toBe(accountName);
    }),
  );
});

test('whatever the text, an entry is refused with the code of the log or is of its kind', () => {
  const text = fc.oneof(anyText, fc.constantFrom(...vectors.documents.map(({ jws }) => jws)).chain(anyMutation));
  fc.assert(
    fc.property(fc.constantFrom(...kinds), text, (kind, jws) => {
      expect([null, 'log/malformed']).toContain(codeOf(() => parseEntry(kind, jws)));
      expect(typeof verifyEntry(jws, { kind, keys, verifyEd25519: verifyWithOpenSsl }).ok).toBe('boolean');
    }),
    { numRuns: 500 },
  );
});
