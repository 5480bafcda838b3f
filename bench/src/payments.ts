import { randomBytes } from 'node:crypto';
import { domainSeparator, transferDigest } from '@keyfare/core/x402';
import { paymentHeaderV2, testPayer, usdcDomain, usdcRequirements } from '@keyfare/devstack/payers';
import { engine as loadCurve } from 'ox/wasm/Secp256k1';

export const payersCount = 512;

/** The address of a payer of `signPayments`. */
export function payerAddress(index: number): string {
  return testPayer(index).address;
}

/**
 * Signs `count` payments of one tenth of a cent into memory, off the clock: some 20,000 a second. The payers are the
 * 512 from `firstPayer` on.
 */
export async function signPayments(
  payTo: `0x${string}`,
  count: number,
  firstPayer = 0,
): Promise<Record<string, string>[]> {
  const curve = await loadCurve();
  const separator = domainSeparator({ ...usdcDomain });
  const payers = Array.from({ length: payersCount }, (_, index) => {
    const { address, privateKey } = testPayer(firstPayer + index);
    return { address, key: Buffer.from(privateKey.slice(2), 'hex') };
  });
  const accepted = usdcRequirements(payTo, 1_000n);
  const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 3_500n;
  return Array.from({ length: count }, (_, index) => {
    const { address: from, key } = payers[index % payersCount] as (typeof payers)[number];
    const nonce = `0x${randomBytes(32).toString('hex')}` as const;
    const message = { from, to: payTo, value: 1_000n, validAfter: 0n, validBefore, nonce };
    const signed = curve.sign(transferDigest(separator, message), key, { prehash: false, extraEntropy: false });
    const tail = (27 + (signed[0] ?? 0)).toString(16);
    const signature = `0x${Buffer.from(signed.subarray(1)).toString('hex')}${tail}` as const;
    const authorization = { ...message, value: '1000', validAfter: '0', validBefore: String(validBefore) };
    return { 'payment-signature': paymentHeaderV2({ payload: { signature, authorization }, accepted }) };
  });
}
