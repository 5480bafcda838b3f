import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { concat, type Hex, hexToNumber, numberToHex, slice, toHex, verifyTypedData } from 'viem';
import { flipBit } from '../../test/fuzz.js';
import {
  authorizationWith,
  domainOf,
  networkOf,
  now,
  payer,
  payTo,
  signatureBytes,
  signWithViem,
  termsWith,
  transferTypes,
} from '../../test/payer.js';
import {
  type Authorization,
  checkSignature,
  checkTerms,
  loadSignatureVerifier,
  matchOffer,
  type PaymentTerms,
  verifyAuthorization,
} from './index.js';

const verifier = await loadSignatureVerifier();
const seconds = 1_800_000_000n;
const good = authorizationWith();
const signature = await signWithViem(good);

const check = (changes: Partial<Authorization>, terms: Partial<PaymentTerms> = {}) =>
  checkTerms({ authorization: authorizationWith(changes), terms: termsWith(terms), now });
const isOk = (candidate: Authorization, by: Hex) =>
  checkSignature({ authorization: candidate, signature: by, terms: termsWith(), verifier }).ok;

test('a payment that a wallet signed for these terms is taken, and names its payer', () => {
  const verdict = verifyAuthorization({ authorization: good, signature, terms: termsWith(), now, verifier });
  expect(verdict).toEqual({ ok: true, payer: payer.address.toLowerCase(), signature });
});

test('the verdict is that of viem for any authorization, signed or changed after signing', async () => {
  const uint = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), fc.bigInt({ min: 0n, max: 10n ** 12n }));
  const nonce = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes));
  const network = fc.constantFrom(networkOf('base'), networkOf('base-sepolia'));
  const field = fc.constantFrom('none', 'value', 'validAfter', 'validBefore', 'nonce', 'to');
  await fc.assert(
    fc.asyncProperty(uint, uint, nonce, network, field, async (value, validBefore, random, on, changed) => {
      const message = authorizationWith({ value, validBefore, nonce: random });
      const by = await signWithViem(message, on);
      const presented: Authorization = {
        ...message,
        ...(changed === 'value' ? { value: value ^ 1n } : {}),
        ...(changed === 'validAfter' ? { validAfter: message.validAfter + 1n } : {}),
        ...(changed === 'validBefore' ? { validBefore: validBefore ^ (1n << 200n) } : {}),
        ...(changed === 'nonce' ? { nonce: numberToHex(BigInt(random) ^ 1n, { size: 32 }) } : {}),
        ...(changed === 'to' ? { to: message.from } : {}),
      };
      const expected = await verifyTypedData({
        address: presented.from,
        domain: domainOf(on.usdc, on.chainId),
        types: transferTypes,
        primaryType: 'TransferWithAuthorization',
        message: presented,
        signature: by,
      });
      const terms = termsWith({ network: on });
      expect(checkSignature({ authorization: presented, signature: by, terms, verifier }).ok).toBe(expected);
      expect(expected).toBe(changed === 'none');
    }),
    { numRuns: 220 },
  );
});

test('one flipped bit in any field of the authorization spoils the signature', () => {
  const hexFields = ['from', 'to', 'nonce'] as const;
  const intFields = ['value', 'validAfter', 'validBefore'] as const;
  for (const name of hexFields) {
    for (let bit = 0; bit < (good[name].length - 2) * 4; bit += 1) {
      const flipped = toHex(flipBit(signatureBytes(good[name]), bit));
      expect(isOk({ ...good, [name]: flipped }, signature)).toBe(false);
    }
  }
  for (const name of intFields) {
    for (let bit = 0n; bit < 256n; bit += 1n) {
      expect(isOk({ ...good, [name]: good[name] ^ (1n << bit) }, signature)).toBe(false);
    }
  }
});

test('one flipped bit anywhere in the signature spoils it', () => {
  for (let bit = 0; bit < 65 * 8; bit += 1) {
    expect(isOk(good, toHex(flipBit(signatureBytes(signature), bit)))).toBe(false);
  }
});

test('a payment signed for one asset of a network matches no offer in another, at whatever amount', () => {
  const network = networkOf('base-sepolia');
  const [inUsdc, inEurc] = network.tokens.map((asset) => termsWith({ asset }));
  if (inUsdc === undefined || inEurc === undefined) throw new Error('the network has one asset');
  const question = { authorization: good, now };
  expect(matchOffer({ ...question, asset: inEurc.asset.address }, [inUsdc, inEurc]).terms).toBe(inEurc);
  expect(matchOffer({ ...question, asset: inUsdc.asset.address }, [inEurc])).toMatchObject({
    ok: false,
    code: 'payment/mismatched',
    detail: 'The payment is in another asset than EURC.',
  });
});

test('a signature for one network or token is worth nothing on another', async () => {
  for (const name of ['base', 'polygon', 'sei']) {
    const terms = termsWith({ network: networkOf(name) });
    expect(checkSignature({ authorization: good, signature, terms, verifier }).ok).toBe(false);
  }
  const { usdc } = networkOf('base-sepolia');
  for (const asset of [
    { ...usdc, name: 'USD Coin' },
    { ...usdc, version: '1' },
    { ...usdc, address: payTo },
    ...networkOf('base-sepolia').tokens.slice(1),
  ]) {
    expect(checkSignature({ authorization: good, signature, terms: termsWith({ asset }), verifier }).ok).toBe(false);
  }
  const elsewhere = await signWithViem(good, networkOf('base'));
  expect(isOk(good, elsewhere)).toBe(false);
});

test('a v of 0 or 1 is taken and handed on as 27 or 28, the hex in lower case', () => {
  const v = hexToNumber(slice(signature, 64, 65));
  const counted = concat([slice(signature, 0, 64), numberToHex(v - 27, { size: 1 })]);
  const shouted = `0x${signature.slice(2).toUpperCase()}` as const;
  for (const presented of [counted, shouted]) {
    const verdict = checkSignature({ authorization: good, signature: presented, terms: termsWith(), verifier });
    expect(verdict).toEqual({ ok: true, payer: payer.address.toLowerCase(), signature });
  }
});

test('a signature that is not 0x and 65 bytes of hex is refused', () => {
  const bare = signature.slice(2);
  const texts = [
    '0x',
    `0x${bare.slice(0, 128)}`,
    `${signature}00`,
    `0X${bare}`,
    bare,
    `00${bare}`,
    `0x${'zz'.repeat(65)}`,
  ];
  for (const text of texts) {
    expect(checkSignature({ authorization: good, signature: text as Hex, terms: termsWith(), verifier })).toMatchObject(
      {
        ok: false,
        code: 'payment/invalid-signature',
      },
    );
  }
});

test('the payment must be to the recipient and of the amount: not more, not less', () => {
  expect(check({})).toEqual({ ok: true });
  expect(check({ to: `0x${'1'.repeat(40)}` })).toMatchObject({ ok: false, code: 'payment/mismatched' });
  for (const value of [0n, 999n, 1001n])
    expect(check({ value })).toMatchObject({ ok: false, code: 'payment/mismatched' });
});

test('now must lie strictly after validAfter, to the second', () => {
  expect(check({ validAfter: seconds - 1n })).toEqual({ ok: true });
  expect(check({ validAfter: seconds })).toMatchObject({ ok: false, code: 'payment/not-yet-valid' });
  expect(check({ validAfter: seconds + 1n })).toMatchObject({ ok: false, code: 'payment/not-yet-valid' });
});

test('validBefore must leave more than six seconds for the settlement', () => {
  expect(check({ validBefore: seconds + 7n })).toEqual({ ok: true });
  for (const validBefore of [seconds + 6n, seconds, seconds - 1n, 0n]) {
    expect(check({ validBefore })).toMatchObject({ ok: false, code: 'payment/expired' });
  }
});

test('a payment may be valid for a day, and not for ever', () => {
  expect(check({ validBefore: seconds + 86_400n })).toEqual({ ok: true });
  for (const validBefore of [seconds + 86_401n, 2n ** 63n, 2n ** 256n - 1n]) {
    expect(check({ validBefore })).toMatchObject({ ok: false, code: 'payment/mismatched' });
  }
});

test('what the payer says it accepted must be the offer, if it says so', () => {
  const terms = termsWith();
  const accepted = {
    scheme: 'exact',
    network: 'eip155:84532',
    asset: terms.asset.checksumAddress,
    amount: '1000',
    payTo: terms.payTo,
    maxTimeoutSeconds: 60,
    extra: {},
  } as const;
  const ask = (changes: object) =>
    checkTerms({ authorization: good, accepted: { ...accepted, ...changes }, terms, now });
  expect(ask({})).toEqual({ ok: true });
  expect(ask({ payTo: payTo.toLowerCase(), asset: terms.asset.address })).toEqual({ ok: true });
  const wrong = [
    { amount: '999' },
    { amount: '01000' },
    { payTo: good.from },
    { asset: good.from },
    { scheme: 'upto' },
  ];
  for (const changes of [...wrong, { network: 'eip155:8453' }]) {
    expect(ask(changes)).toMatchObject({ ok: false, code: 'payment/mismatched' });
  }
  expect(checkTerms({ authorization: good, network: 'eip155:8453', terms, now })).toMatchObject({
    ok: false,
    code: 'payment/mismatched',
  });
});

test('a payment that does not fit the terms is refused before any curve arithmetic', () => {
  const unused = {
    ...verifier,
    recoverAddress: () => {
      throw new Error('asked for a signature');
    },
  };
  const verdict = verifyAuthorization({
    authorization: authorizationWith({ value: 1n }),
    signature,
    terms: termsWith(),
    now,
    verifier: unused,
  });
  expect(verdict).toMatchObject({ ok: false, code: 'payment/mismatched' });
});
