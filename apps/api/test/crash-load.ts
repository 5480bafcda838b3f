import { type ExactPayload, paymentHeaderV1, paymentHeaderV2, usdcRequirements } from '@keyfare/devstack/payers';

/** What a caller holds in its hands after a 200 that it read to the end. */
export interface Served {
  readonly receiptId: string;
  readonly jws: string;
  /** The nonce of the payment that the call was paid with; undefined on the key rail. */
  readonly nonce?: string;
}

/** Callers that know nothing of the crashes but what they see: answers, refusals, and connections that break. */
export class CrashLoad {
  readonly served: Served[] = [];
  /** Requests by key whose answer never came: the call may have been counted or not, nobody told the caller. */
  lostByKey = 0;
  /** Statuses that no caller should meet. */
  readonly odd: string[] = [];
  readonly #inFlight = { key: 0, x402: 0 };
  #stopping = false;

  constructor(
    private readonly url: string,
    private readonly payTo: `0x${string}`,
    private readonly price: bigint,
  ) {}

  get inFlight(): Readonly<{ key: number; x402: number }> {
    return { ...this.#inFlight };
  }

  count(rail: 'key' | 'x402'): number {
    return this.served.filter(({ nonce }) => (nonce === undefined) === (rail === 'key')).length;
  }

  /** From now on no new call begins; what was begun is brought to its end. */
  stop(): void {
    this.#stopping = true;
  }

  /** Calls by key, one after the other. A call whose connection broke is not repeated: it was another call. */
  async callByKey(secret: string): Promise<void> {
    while (!this.#stopping) {
      const answer = await this.#send('key', { authorization: `Bearer ${secret}` });
      if (answer === 'unreachable') await pause();
      else if (answer === 'broken') this.lostByKey += 1;
      else if (answer.status === 200) this.#keep(answer);
      else if (answer.status !== 503) this.odd.push(`key ${answer.status}: ${answer.body}`);
    }
  }

  /** Pays one call after the other, and presents each payment until it is served, as the protocol wants it. */
  async payForCalls(payments: AsyncIterable<ExactPayload>, version: 1 | 2): Promise<void> {
    for await (const payment of payments) {
      if (this.#stopping) return;
      await this.#payFor(payment, version);
    }
  }

  async #payFor(payload: ExactPayload, version: 1 | 2): Promise<void> {
    const accepted = usdcRequirements(this.payTo, this.price);
    const headers =
      version === 2
        ? { 'payment-signature': paymentHeaderV2({ payload, accepted }) }
        : { 'x-payment': paymentHeaderV1({ payload }) };
    for (;;) {
      const answer = await this.#send('x402', headers);
      if (typeof answer !== 'string' && answer.status === 200) {
        this.#keep(answer, payload.authorization.nonce);
        return;
      }
      if (typeof answer !== 'string' && answer.status !== 503 && answer.status !== 409) {
        this.odd.push(`x402 ${answer.status}: ${answer.body}`);
        return;
      }
      await pause();
    }
  }

  #keep(answer: Answer, nonce?: string): void {
    const receiptId = answer.headers.get('receipt-id') ?? '';
    const jws = answer.headers.get('keyfare-receipt') ?? '';
    this.served.push({ receiptId, jws, ...(nonce === undefined ? {} : { nonce }) });
  }

  async #send(rail: 'key' | 'x402', headers: Record<string, string>): Promise<Answer | 'unreachable' | 'broken'> {
    this.#inFlight[rail] += 1;
    try {
      const response = await fetch(this.url, { headers });
      return { status: response.status, headers: response.headers, body: await response.text() };
    } catch (error) {
      const { code } = (error as { cause?: { code?: string } }).cause ?? {};
      return code === 'ECONNREFUSED' ? 'unreachable' : 'broken';
    } finally {
      this.#inFlight[rail] -= 1;
    }
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

async function pause(): Promise<void> {
  await new Promise((wake) => setTimeout(wake, 50));
}
