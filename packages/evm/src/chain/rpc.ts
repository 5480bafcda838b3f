import { ChainError, ChainUnavailable, NodeError } from './errors.js';
import { createTransport, type Endpoint, type Transport } from './http.js';

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
}

interface Call {
  readonly method: string;
  readonly params: string;
  readonly enqueuedAt: number;
  readonly promise: Promise<unknown>;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * A batching client. Every HTTP request also asks for the chain id and no answer in it counts unless that is right: a
 * node that was replaced, or a proxy that was switched to another network, cannot answer for this one.
 */
export function createRpc(options: RpcOptions): Rpc {
  const { chainId, maxConnections, timeoutMs } = options;
  const callsPerRequest = Math.max(1, options.maxBatchCalls - 1);
  const transport = createTransport(options);
  let waiting = new Map<string, Call>();
  let inFlight = 0;
  let scheduled = false;

  const flush = () => {
    scheduled = false;
    // At most `maxConnections` requests at a time: what comes meanwhile gathers into fewer and larger ones.
    while (waiting.size > 0 && inFlight < maxConnections) {
      const calls = take(callsPerRequest);
      if (calls.length === 0) continue;
      inFlight += 1;
      void exchange(transport, calls, chainId).finally(() => {
        inFlight -= 1;
        flush();
      });
    }
  };
  const take = (count: number): Call[] => {
    const oldest = performance.now() - timeoutMs;
    const calls: Call[] = [];
    for (const [key, call] of waiting) {
      if (calls.length === count) break;
      waiting.delete(key);
      if (call.enqueuedAt < oldest) call.reject(new ChainUnavailable('the node is too slow: the call was not sent'));
      else calls.push(call);
    }
    return calls;
  };
  return {
    chainId,
    callsPerRequest,
    call: (method, params) => {
      const key = method + params;
      const asked = waiting.get(key);
      if (asked !== undefined) return asked.promise;
      const call = createCall(method, params);
      waiting.set(key, call);
      if (!scheduled) {
        scheduled = true;
        setImmediate(flush); // after all callbacks of this turn: requests that arrived together are asked together
      }
      return call.promise;
    },
    close: () => {
      for (const call of waiting.values()) call.reject(new ChainUnavailable('the connection to the node was closed'));
      waiting = new Map();
      transport.close();
    },
  };
}

function createCall(method: string, params: string): Call {
  const call = { method, params, enqueuedAt: performance.now() } as { -readonly [Key in keyof Call]: Call[Key] };
  call.promise = new Promise((resolve, reject) => {
    call.resolve = resolve;
    call.reject = reject;
  });
  return call;
}

/** Settles every call; never rejects. */
async function exchange(transport: Transport, calls: readonly Call[], chainId: number): Promise<void> {
  try {
    const { status, body } = await transport.post(encode(calls));
    const answers = decode(status, body, calls.length);
    checkChain(answers[0], chainId);
    calls.forEach((call, index) => settle(call, answers[index + 1]));
  } catch (error) {
    for (const call of calls) call.reject(error as Error);
  }
}

/** Ids count from 1; id 0 is the question for the chain id. */
function encode(calls: readonly Call[]): string {
  let text = '[{"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[]}';
  for (let index = 0; index < calls.length; index += 1) {
    const call = calls[index] as Call;
    text += `,{"jsonrpc":"2.0","id":${String(index + 1)},"method":"${call.method}","params":${call.params}}`;
  }
  return `${text}]`;
}

interface Answer {
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** The answers by id. The node may give them in any order (JSON-RPC 2.0, section 6), and leave some out. */
function decode(status: number, body: string, count: number): readonly (Answer | undefined)[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw new ChainUnavailable(`the node answered ${String(status)} and no JSON`, { cause: error });
  }
  if (status === 429 || status >= 500) throw new ChainUnavailable(`the node answered ${String(status)}`);
  if (!Array.isArray(parsed)) throw new ChainUnavailable(`the node refused the batch: ${wordsOf(parsed)}`);
  const answers: (Answer | undefined)[] = Array.from({ length: count + 1 });
  for (const answer of parsed as unknown[]) {
    if (typeof answer !== 'object' || answer === null) continue;
    const { id } = answer as Answer;
    if (typeof id === 'number' && id >= 0 && id <= count) answers[id] = answer as Answer;
  }
  return answers;
}

function checkChain(answer: Answer | undefined, chainId: number): void {
  const { result } = answer ?? {};
  if (typeof result !== 'string') throw new ChainUnavailable(`the node does not tell its chain: ${wordsOf(answer)}`);
  if (Number(result) !== chainId) {
    throw new ChainError('wrong-chain', `the node serves chain ${String(Number(result))}, not ${String(chainId)}`);
  }
}

function settle(call: Call, answer: Answer | undefined): void {
  if (answer === undefined) {
    call.reject(new ChainUnavailable(`the node left ${call.method} without an answer`));
  } else if (typeof answer.error === 'object' && answer.error !== null) {
    const { code, message, data } = answer.error as Record<string, unknown>;
    call.reject(new NodeError(Number(code), typeof message === 'string' ? message : 'no message', data));
  } else if (answer.result === undefined) {
    call.reject(new ChainUnavailable(`the node answered ${call.method} with neither a result nor an error`));
  } else {
    call.resolve(answer.result);
  }
}

function wordsOf(answer: unknown): string {
  const { error } = (typeof answer === 'object' && answer !== null ? answer : {}) as { error?: { message?: unknown } };
  return typeof error?.message === 'string' ? error.message.slice(0, 200) : 'no reason given';
}
