import { randomUUID } from 'node:crypto';
import { paymentHeaderV2, signAuthorization, type TestPayer, usdcRequirements } from '@keyfare/devstack/payers';
import type { Held } from './independent-count.js';
import type { Flow } from './kill-points.js';

/** A caller that pays once and asks until it has a receipt, or is told of its refund. */
export async function payUntilAnswered(
  urls: readonly string[],
  { flow, payer, payTo }: { readonly flow: Flow; readonly payer: TestPayer; readonly payTo: `0x${string}` },
): Promise<Held> {
  const payload = await signAuthorization({ payer, to: payTo, value: 1_000n });
  const { nonce } = payload.authorization;
  const headers = {
    'payment-signature': paymentHeaderV2({ payload, accepted: usdcRequirements(payTo, 1_000n) }),
    'idempotency-key': randomUUID(),
  };
  const deadline = Date.now() + 45_000;
  let last = 'no answer';
  for (let turn = 0; ; turn += 1) {
    const answer = await ask(`${urls[turn % urls.length] ?? ''}/flows/${flow}`, headers);
    if (answer?.status === 200) {
      return { nonce, id: answer.headers.get('receipt-id') ?? '', jws: answer.headers.get('keyfare-receipt') ?? '' };
    }
    if (answer !== null) last = `${answer.status} ${answer.body}`;
    if (answer?.body.includes('payment/refund-due') === true) return { nonce };
    if ((answer !== null && answer.status !== 503 && answer.status !== 409) || Date.now() > deadline) {
      throw new Error(`${flow}: ${last}`);
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

async function ask(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: string } | null> {
  try {
    const response = await fetch(url, { headers });
    return { status: response.status, headers: response.headers, body: await response.text() };
  } catch {
    return null; // the process died over it, or is dead
  }
}
