import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { signEntry } from '@keyfare/core/log';
import { type ReceiptPayload, type ReceiptSigner, receiptTemplate } from '@keyfare/core/receipt';
import { expect, it } from '@keyfare/jest-preset/globals';
import { Logger } from '@nestjs/common';
import { ReceiptWriter } from './receipt-writer.js';
import { createSigner } from './signer.js';

const signer = createSigner(generateKeyPairSync('ed25519').privateKey, 'did:web:api.example#key');

function receipt(more: Partial<ReceiptPayload & { rail: 'key' }> = {}): ReceiptPayload {
  return {
    version: 1,
    id: randomUUID(),
    rail: 'key',
    principal: 'account',
    sku: 'ping',
    method: 'GET',
    resourceUrl: 'https://api.example/ping?q="a\\b"',
    status: 200,
    units: 1,
    responseDigest: `sha-256=:${createHash('sha256').digest('base64')}:`,
    issuedAt: 1_796_000_000,
    ...more,
  };
}

function counting(): { signer: ReceiptSigner; signed: () => number } {
  let signed = 0;
  const sign = (bytes: Uint8Array) => {
    signed += 1;
    return signer.sign(bytes);
  };
  return { signer: { kid: signer.kid, sign }, signed: () => signed };
}

it('writes the document that the checked form signs, and the parts that make it up', () => {
  const writer = new ReceiptWriter(signer, () => expect('a fault').toBe('none'));
  for (const payload of [receipt(), receipt({ status: 404, units: 7 })]) {
    const { kid, jws, ...parts } = writer.write(payload);
    expect([kid, jws]).toEqual([signer.kid, signEntry('call', payload, signer)]);
    const [, body = '', tail = ''] = jws.split('.');
    expect(parts).toEqual({
      payload: Buffer.from(body, 'base64url'),
      signature: Buffer.from(tail, 'base64url'),
      digest: createHash('sha256').update(jws).digest(),
    });
  }
});

it('checks the first receipt of a route and one in 1,024 after it', () => {
  const { signer: counted, signed } = counting();
  const writer = new ReceiptWriter(counted, () => undefined);
  const payload = receipt();
  const checkedAt: number[] = [];
  for (let nth = 0; nth <= 2_048; nth += 1) {
    const before = signed();
    writer.write(payload);
    // The checked form signs once more.
    if (signed() - before === 2) checkedAt.push(nth);
  }
  expect(checkedAt).toEqual([0, 1_024, 2_048]);
});

it('signs the checked form and reports each receipt while a template differs from it', () => {
  Logger.overrideLogger(false);
  let faults = 0;
  const lying: typeof receiptTemplate = (route) => {
    const write = receiptTemplate(route);
    return (payload) => write(payload).replace('"units":1', '"units":2');
  };
  const writer = new ReceiptWriter(signer, () => (faults += 1), lying);
  for (const payload of [receipt(), receipt()]) {
    expect(writer.write(payload).jws).toBe(signEntry('call', payload, signer));
  }
  expect(faults).toBe(2);
});

it('signs nothing for the first receipt of a route whose payload is outside the schema', () => {
  const writer = new ReceiptWriter(signer, () => undefined);
  expect(() => writer.write(receipt({ responseDigest: 'sha-256=:AAAA=:' }))).toThrow(TypeError);
  expect(() => writer.write(receipt({ resourceUrl: 'https://api.example/ü' }))).toThrow(TypeError);
});
