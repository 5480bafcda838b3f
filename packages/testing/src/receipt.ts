import { createHash } from 'node:crypto';
import { formatDigest, parseJwks, type ReceiptPayload, verifyReceipt } from '@keyfare/core/receipt';

/**
 * What the receipt of a response says, when one of the published keys at `origin` signed it, and it is the receipt of
 * this very status and body. Throws an `Error` that says what is not so. The body can still be read afterwards.
 */
export async function readVerifiedReceipt(response: Response, origin: string): Promise<ReceiptPayload> {
  const jws = response.headers.get('keyfare-receipt');
  if (jws === null) throw new Error(`an answer of ${String(response.status)} without a receipt`);
  const keys = await fetch(`${origin}/.well-known/jwks.json`);
  const verdict = verifyReceipt(jws, parseJwks(await keys.json()));
  if (!verdict.ok) throw new Error(`the receipt does not verify: ${verdict.detail}`);
  const { payload } = verdict;
  if (payload.status !== response.status) {
    throw new Error(`the receipt is of an answer of ${String(payload.status)}, this one is ${String(response.status)}`);
  }
  // fetch has taken a content coding off, and the receipt is of the bytes that were sent.
  if (!response.headers.has('content-encoding') && !response.bodyUsed) {
    const body = Buffer.from(await response.clone().arrayBuffer());
    const digest = formatDigest(createHash('sha256').update(body).digest());
    if (digest !== payload.responseDigest) throw new Error('the receipt is of another body');
  }
  return payload;
}
