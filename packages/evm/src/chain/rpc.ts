import { type BatchSize, createBatchSize } from './batch-size.js';
import { ChainUnavailable } from './errors.js';
import { createTransport, type Endpoint, type Transport } from './http.js';
import {
  type Answer,
  BatchRefused,
  checkChain,
  decodeBatch,
  decodeLone,
  encodeBatchOf,
  encodeLone,
  type Question,
} from './rpc-messages.js';
import { outcomeOf, type RpcObserver } from './rpc-observer.js';

/** JSON-RPC to one node of one chain. */
export interface Rpc {
  readonly chainId: number;
  /** Calls of callers sent in one HTTP request at most; one more asks for the chain id. */
  readonly callsPerRequest: number;
  /**
   * One call; `params` is the JSON text of the array. All calls made before the event loop's next turn go in one HTTP
   * request, and equal ones are asked once. Rejects with `NodeError` (the node's answer), `ChainError` ('wrong-chain')
   * or `ChainUnavailable`.
   */
  call(method: string, params: string): Promise<unknown>;
  close(): void;
}

/** What `createRpc` needs. */
export interface RpcOptions extends Endpoint {
  readonly chainId: number;
  readonly maxBatchCalls: number;
  readonly observer?: RpcObserver;
}

interface Call extends Question {
  readonly enqueuedAt: number;
  readonly promise: Promise<unknown>;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  /** The node left it without an answer in company. */
  alone: boolean;
}

/** So many calls may wait for the node; one more is refused. */
const maxWaiting = 10_000;

/** How long the chain id is believed of a node that takes no batches, where it costs a request of its own. */
const chainTtlMs = 2_000;

/**
 * A batching client. Every batch also asks for the chain id and no answer in it counts unless that is right: a node
 * that was replaced, or a proxy that was switched to another network, cannot answer for this one. A batch that the node
 * refuses for its size is split, down to lone calls, and the size that works is remembered.
 */
export function createRpc(options: RpcOptions): Rpc {
  return new BatchingRpc(options);
}

class BatchingRpc implements Rpc {
  readonly chainId: number;
  readonly callsPerRequest: number;
  readonly #transport: Transport;
  readonly #size: BatchSize;
  readonly #maxConnections: number;
  readonly #timeoutMs: number;
  readonly #observer: RpcObserver | undefined;
  #waiting = new Map<string, Call>();
  #inFlight = 0;
  #scheduled = false;
  #closed = false;
  #confirmed: { readonly until: number; readonly chain: Promise<void> } | null = null;

  constructor(options: RpcOptions) {
    this.chainId = options.chainId;
    this.callsPerRequest = Math.max(1, options.maxBatchCalls - 1);
    this.#transport = createTransport(options);
    this.#size = createBatchSize(Math.max(1, options.maxBatchCalls));
    this.#maxConnections = options.maxConnections;
    this.#timeoutMs = options.timeoutMs;
    this.#observer = options.observer;
  }

  call(method: string, params: string): Promise<unknown> {
    const key = method + params;
    const asked = this.#waiting.get(key);
    if (asked !== undefined) return asked.promise;
    if (this.#waiting.size >= maxWaiting)
      return Promise.reject(new ChainUnavailable('too many calls wait for the node'));
    const call = createCall(method, params);
    this.#waiting.set(key, call);
    if (this.#observer !== undefined) observeCall(call, this.#observer);
    this.#schedule();
    return call.promise;
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#waiting.values()) call.reject(closed());
    this.#waiting = new Map();
    this.#transport.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush()); // after all callbacks of this turn: what arrived together is asked together
  }

  /** At most `maxConnections` requests at a time: what comes meanwhile gathers into fewer and larger ones. */
  #flush(): void {
    this.#scheduled = false;
    while (this.#waiting.size > 0 && this.#inFlight < this.#maxConnections) {
      const calls = this.#take(Math.max(1, this.#size.current - 1));
      if (calls.length === 0) continue;
      this.#inFlight += 1;
      void this.#exchange(calls).finally(() => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }

  /** The oldest calls; one that has to go alone goes alone. */
  #take(count: number): Call[] {
    const oldest = performance.now() - this.#timeoutMs;
    const calls: Call[] = [];
    for (const [key, call] of this.#waiting) {
      if (calls.length === count || (call.alone && calls.length > 0)) break;
      this.#waiting.delete(key);
      if (call.enqueuedAt < oldest) call.reject(new ChainUnavailable('the node is too slow: the call was not sent'));
      else calls.push(call);
      if (call.alone) break;
    }
    return calls;
  }

  /** Settles every call or puts it back to be asked in a smaller batch; never rejects. */
  async #exchange(calls: readonly Call[]): Promise<void> {
    const [first] = calls;
    const lone = first !== undefined && calls.length === 1 && (first.alone || this.#size.current === 1);
    this.#observer?.sent(calls.length);
    try {
      if (lone) await this.#askAlone(first);
      else await this.#askTogether(calls);
    } catch (error) {
      if (error instanceof BatchRefused) {
        this.#size.refused(calls.length + 1);
        this.#putBack(calls, calls.length === 1);
        return;
      }
      if (lone) this.#size.failed();
      for (const call of calls) call.reject(error as Error);
    }
  }

  async #askTogether(calls: readonly Call[]): Promise<void> {
    const answers = decodeBatch(await this.#transport.post(encodeBatchOf(calls)), calls.length);
    checkChain(answers[0], this.chainId);
    const left: Call[] = [];
    calls.forEach((call, index) => {
      if (!settle(call, answers[index + 1] ?? 'missing')) left.push(call);
    });
    const count = calls.length + 1;
    if (left.length === 0) {
      this.#size.answered(count);
    } else if (left.length === calls.length) {
      throw new BatchRefused('the node answered none of the calls');
    } else {
      if (left.length > 1) this.#size.refused(count, count - left.length);
      this.#putBack(left, left.length === 1);
    }
  }

  async #askAlone(call: Call): Promise<void> {
    await this.#confirmChain();
    const answer = decodeLone(await this.#transport.post(encodeLone(call)));
    if (!settle(call, answer)) throw new ChainUnavailable(`the node left ${call.method} without an answer`);
    if (this.#size.current === 1) this.#size.answered(1);
  }

  /** Asks for the chain id by itself, for all lone calls of the next two seconds. */
  async #confirmChain(): Promise<void> {
    if (this.#confirmed !== null && performance.now() < this.#confirmed.until) return await this.#confirmed.chain;
    const ask = async () => {
      const answer = decodeLone(await this.#transport.post(encodeLone({ method: 'eth_chainId', params: '[]' })));
      checkChain(answer, this.chainId);
    };
    const mine = { until: performance.now() + chainTtlMs, chain: ask() };
    this.#confirmed = mine;
    try {
      await mine.chain;
    } catch (error) {
      if (this.#confirmed === mine) this.#confirmed = null;
      throw error;
    }
  }

  /** The calls keep their age, so that a node which refuses for ever is given up in time. */
  #putBack(calls: readonly Call[], alone: boolean): void {
    for (const call of calls) {
      if (this.#closed) {
        call.reject(closed());
        continue;
      }
      call.alone ||= alone;
      const key = call.method + call.params;
      const again = this.#waiting.get(key);
      if (again === undefined) this.#waiting.set(key, call);
      else again.promise.then(call.resolve, call.reject); // asked anew meanwhile: one answer for both
    }
  }
}

function closed(): ChainUnavailable {
  return new ChainUnavailable('the connection to the node was closed');
}

/** The observer hears the end of the call, whoever waits for it. */
function observeCall({ method, promise }: Call, observer: RpcObserver): void {
  const ended = observer.began(method);
  promise.then(
    () => ended('ok'),
    (error: unknown) => ended(outcomeOf(error)),
  );
}

function createCall(method: string, params: string): Call {
  const call = { method, params, enqueuedAt: performance.now(), alone: false } as {
    -readonly [Key in keyof Call]: Call[Key];
  };
  call.promise = new Promise((resolve, reject) => {
    call.resolve = resolve;
    call.reject = reject;
  });
  return call;
}

/** False when there is no answer to settle it with. */
function settle(call: Call, answer: Answer): boolean {
  if (answer === 'missing') return false;
  if (answer === 'malformed') {
    call.reject(new ChainUnavailable(`the node answered ${call.method} with neither a result nor an error`));
  } else if ('error' in answer) {
    call.reject(answer.error);
  } else {
    call.resolve(answer.result);
  }
  return true;
}
