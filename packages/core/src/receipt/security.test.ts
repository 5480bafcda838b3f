import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { documentOf, keyReceipt, privateKey, vectors, verifyWithOpenSsl } from '../../test/documents.js';
import { encodeBase64Url, utf8 } from '../encoding/index.js';
import { type Jwks, verifyReceipt } from './index.js';

const { jwks } = vectors;
const genuine = documentOf('a call on the key rail').jws;
const [, body = '', seal = ''] = genuine.split('.');
const kid = jwks.keys[0]?.kid ?? '';
const typ = 'keyfare-receipt+jws';
const key = jwks.keys[0];
const text = (value: unknown): string =>
  encodeBase64Url(utf8(typeof value === 'string' ? value : JSON.stringify(value)));

/** A document with this header and payload under a true signature of the published key. */
function sealed(header: unknown, payload: string = body): string {
  const input = `${text(header)}.${payload}`;
  return `${input}.${encodeBase64Url(Uint8Array.from(sign(null, Buffer.from(input), privateKey)))}`;
}

/** The same, with an HMAC under a secret that is none: it is as long as the signature has to be. */
function hashed(header: unknown, secret: string): string {
  const input = `${text(header)}.${body}`;
  return `${input}.${encodeBase64Url(Uint8Array.from(createHmac('sha512', secret).update(input).digest()))}`;
}

/** Asserts that neither verifier takes it, here or in a server. */
function expectRefused(jws: string, keys: Jwks = jwks): void {
  for (const verifyEd25519 of [undefined, verifyWithOpenSsl]) {
    expect(verifyReceipt(jws, keys, { verifyEd25519 })).toMatchObject({ ok: false });
  }
}

describe('security: the receipt verifier', () => {
  it('takes a document that these tests sealed: they can fail', () => {
    expect(verifyReceipt(sealed({ alg: 'EdDSA', kid, typ }), jwks)).toMatchObject({ ok: true, payload: keyReceipt });
  });

  it.each([
    ['an extension that nobody knows', { crit: ['x-policy'], 'x-policy': 'must' }],
    ['an extension of RFC 7797', { crit: ['b64'], b64: false }],
    ['an empty list', { crit: [] }],
    ['a member of the standard', { crit: ['alg'] }],
    ['a text', { crit: 'x-policy' }],
    ['null', { crit: null }],
  ])('GHSA-hm7r-c7qw-ghp6, CVE-2026-35042 (fast-jwt): refuses `crit` under a true signature: %s', (_what, extra) => {
    expectRefused(sealed({ alg: 'EdDSA', kid, typ, ...extra }));
  });

  it.each([
    'none',
    'None',
    '',
    'HS256',
    'HS512',
    'RS256',
    'ES256',
    'EdDSA ',
    ' EdDSA',
    'eddsa',
    'Ed25519',
    'Ed448',
    null,
    0,
    ['EdDSA'],
    { alg: 'EdDSA' },
  ])(
    'GHSA-mvf2-f6gm-w987, CVE-2026-34950 (fast-jwt): refuses any other algorithm, whatever the signature: %j',
    (alg) => {
      expectRefused(sealed({ alg, kid, typ }));
      expectRefused(`${text({ alg, kid, typ })}.${body}.`);
      expectRefused(`${text({ alg, kid, typ })}.${body}.${seal}`);
    },
  );

  it.each([
    ['the key as the set shows it', JSON.stringify(key)],
    ['the key behind a space', ` ${JSON.stringify(key)}`],
    ['the whole set', JSON.stringify(jwks)],
    ['the coordinate', key?.x ?? ''],
    ['nothing', ''],
  ])('GHSA-mvf2-f6gm-w987, CVE-2026-107724 (fast-jwt): no public text is a secret: %s', (_what, secret) => {
    for (const alg of ['HS512', 'HS256', 'EdDSA']) expectRefused(hashed({ alg, kid, typ }, secret));
  });

  it.each([
    ['a list', '[]'],
    ['a list with the receipt in it', JSON.stringify([keyReceipt])],
    ['a text', '"receipt"'],
    ['null', 'null'],
    ['nothing', ''],
    ['a member twice', JSON.stringify(keyReceipt).replace('{', '{"id":"00000000-0000-7000-8000-000000000000",')],
    ['a member too many', JSON.stringify({ ...keyReceipt, exp: 1 })],
    ['a prototype', JSON.stringify(keyReceipt).replace('{', '{"__proto__":{"units":0},')],
  ])(
    'GHSA-5hjw-83fp-phq9, CVE-2026-107723 (fast-jwt): refuses what is no receipt under a true signature: %s',
    (_what, payload) => {
      expectRefused(sealed({ alg: 'EdDSA', kid, typ }, text(payload)));
    },
  );

  it('refuses a key that the document brings with it', () => {
    const { privateKey: mine, publicKey } = generateKeyPairSync('ed25519');
    const jwk = publicKey.export({ format: 'jwk' });
    for (const extra of [
      { jwk },
      { jku: 'https://evil.test/jwks.json' },
      { x5c: ['MIIB'] },
      { x5u: 'https://evil.test' },
    ]) {
      const input = `${text({ alg: 'EdDSA', kid, typ, ...extra })}.${body}`;
      expectRefused(`${input}.${encodeBase64Url(Uint8Array.from(sign(null, Buffer.from(input), mine)))}`);
      expectRefused(sealed({ alg: 'EdDSA', kid, typ, ...extra }));
    }
  });

  it.each([
    '',
    ' ',
    `${kid} `,
    ` ${kid}`,
    kid.toUpperCase(),
    `${kid}\u0000`,
    '__proto__',
    'constructor',
    0,
    null,
    [kid],
    { kid },
  ])('takes the key of the name and no other: %j', (name) => {
    expectRefused(sealed({ alg: 'EdDSA', kid: name, typ }));
  });

  it.each([
    'keyfare-terms+jws',
    'keyfare-unpaid+jws',
    'JWT',
    'keyfare-receipt',
    'application/keyfare-receipt+jws',
    '',
    null,
  ])('takes a document of its own kind and of no other: %j', (kind) => {
    expectRefused(sealed({ alg: 'EdDSA', kid, typ: kind }));
  });

  it('takes one spelling of a document', () => {
    for (const jws of [
      ` ${genuine}`,
      `${genuine}\n`,
      `${genuine}=`,
      genuine.replace('.', '..'),
      `${genuine}.`,
      genuine.replaceAll('.', ' . '),
      sealed(`{"alg":"EdDSA","alg":"none","kid":${JSON.stringify(kid)},"typ":"${typ}"}`),
      sealed(`{ "alg": "EdDSA", "kid": ${JSON.stringify(kid)}, "typ": "${typ}" }`),
    ]) {
      expectRefused(jws);
    }
  });

  it('takes no weak or foreign key of a set', () => {
    const one = Uint8Array.from([1, ...new Uint8Array(31)]);
    const minusZero = Uint8Array.from([...new Uint8Array(31), 0x80]);
    for (const x of [new Uint8Array(32), one, minusZero, new Uint8Array(1)].map(encodeBase64Url)) {
      const keys = { keys: [{ ...key, x }] } as Jwks;
      // Of a point of small order, this is a signature over anything where the verifier multiplies by the cofactor.
      expectRefused(
        `${text({ alg: 'EdDSA', kid, typ })}.${body}.${encodeBase64Url(Uint8Array.from([1, ...new Uint8Array(63)]))}`,
        keys,
      );
    }
    expectRefused(genuine, { keys: [{ ...key, kty: 'oct', k: key?.x }] } as unknown as Jwks);
    expectRefused(genuine, { keys: [] });
  });
});
