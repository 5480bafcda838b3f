import { paymentHeaderV2, signAuthorization, type TestPayer, usdcRequirements } from './payers.js';

/** A call that was served: what its caller holds. */
export interface SteadyCall {
  /** The place in `paths`, or `key`. */
  readonly kind: string;
  /** Of the receipt. */
  readonly id: string;
  readonly jws: string;
  /** Of the payment; undefined for a call by key. */
  readonly nonce?: string;
  readonly durationMs: number;
}

interface Call {
  readonly kind: string;
  readonly path: string;
  readonly nonce?: string;
}

/** Callers who call one after the other and repeat nothing. */
export interface SteadySettings {
  readonly url: string;
  readonly key: { readonly path: string; readonly secret: string; readonly callers: number };
  readonly paid: { readonly paths: readonly string[]; readonly payTo: `0x${string}`; readonly price: bigint };
  /** One caller each, with each payment its own; they take `paths` in turns. */
  readonly payers: readonly TestPayer[];
  /** Between an answer and the caller's next call. @default 0 */
  readonly pauseMs?: number;
}

/** Steady load of both rails that counts every answer but 200, and every broken connection, as a failure. */
export class SteadyCallers {
  readonly served: SteadyCall[] = [];
  readonly failed: string[] = [];
  readonly #calls = new Set<Promise<void>>();
  #stopping = false;
  #callers: readonly Promise<void>[] = [];

  constructor(private readonly settings: SteadySettings) {}

  start(): void {
    const { key, payers } = this.settings;
    const byKey = Array.from({ length: key.callers }, () => this.#callByKey());
    this.#callers = [...byKey, ...payers.map((payer, index) => this.#pay(payer, index))];
  }

  /** Resolves when so many more calls of each kind were served, or one failed. */
  async more(count: number): Promise<void> {
    const kinds = ['key', ...this.settings.paid.paths];
    const countOf = (kind: string): number => this.served.filter((call) => call.kind === kind).length;
    const wanted = new Map(kinds.map((kind) => [kind, countOf(kind) + count]));
    while (this.failed.length === 0 && kinds.some((kind) => countOf(kind) < (wanted.get(kind) ?? 0))) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
  }

  /** Resolves when every call that is under way now has ended. */
  async underWay(): Promise<void> {
    await Promise.all(this.#calls);
  }

  /** Lets each caller end the call that it has begun. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#callers);
  }

  async #callByKey(): Promise<void> {
    const { path, secret } = this.settings.key;
    while (!this.#stopping) await this.#call({ kind: 'key', path }, { authorization: `Bearer ${secret}` });
  }

  async #pay(payer: TestPayer, first: number): Promise<void> {
    const { paths, payTo, price } = this.settings.paid;
    for (let turn = first; !this.#stopping; turn += 1) {
      const path = paths[turn % paths.length] ?? '';
      const payload = await signAuthorization({ payer, to: payTo, value: price });
      const header = paymentHeaderV2({ payload, accepted: usdcRequirements(payTo, price) });
      await this.#call({ kind: path, path, nonce: payload.authorization.nonce }, { 'payment-signature': header });
    }
  }

  async #call(call: Call, headers: Readonly<Record<string, string>>): Promise<void> {
    const calling = this.#send(call, headers);
    this.#calls.add(calling);
    await calling.finally(() => this.#calls.delete(calling));
    const { pauseMs = 0 } = this.settings;
    if (pauseMs > 0) await new Promise((wake) => setTimeout(wake, pauseMs));
  }

  async #send({ path, ...call }: Call, headers: Readonly<Record<string, string>>): Promise<void> {
    const begunMs = performance.now();
    try {
      const response = await fetch(`${this.settings.url}${path}`, { headers });
      const text = await response.text();
      const id = response.headers.get('receipt-id') ?? '';
      const jws = response.headers.get('keyfare-receipt') ?? '';
      if (response.status !== 200) this.failed.push(`${call.kind}: ${response.status} ${text}`);
      else this.served.push({ ...call, id, jws, durationMs: performance.now() - begunMs });
    } catch (error) {
      this.failed.push(`${call.kind}: ${String((error as Error).cause ?? error)}`);
    }
  }
}
