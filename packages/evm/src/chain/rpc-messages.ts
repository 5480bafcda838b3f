import { ChainError, ChainUnavailable, NodeError } from './errors.js';

/** A call as it goes to the node; `params` is the JSON text of the array. */
export interface Question {
  readonly method: string;
  readonly params: string;
}

/** What the node said to a call: a result, its own error, or nothing that is either. */
export type Answer =
  | { readonly result: unknown }
  | { readonly error: NodeError }
  /** Left out, or refused because of the others in the batch: to be asked again in a smaller one. */
  | 'missing'
  | 'malformed';

/** The node takes batches, but not of this size; or none. */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';
}

const chainQuestion = '{"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[]}';

/** One call alone, as an object: what nodes take that know no batches. */
export function encodeLone({ method, params }: Question): string {
  return `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`;
}

/** A batch. Ids count from 1; id 0 is the question for the chain id. */
export function encodeBatchOf(questions: readonly Question[]): string {
  let text = `[${chainQuestion}`;
  for (let index = 0; index < questions.length; index += 1) {
    const { method, params } = questions[index] as Question;
    text += `,{"jsonrpc":"2.0","id":${String(index + 1)},"method":"${method}","params":${params}}`;
  }
  return `${text}]`;
}

/**
 * The answers to a batch by id, 0 being the chain's. The node may give them in any order (JSON-RPC 2.0, section 6), and
 * leave some out. Throws `BatchRefused` for the refusals of the batch as a whole, which nodes and providers word as
 * they like: an object in place of the list, HTTP 413 or 400, or a list that holds no answer but the complaint (geth).
 */
export function decodeBatch(response: Response, count: number): readonly Answer[] {
  if (response.status === 413) throw new BatchRefused('the node answered 413');
  const parsed = parse(response);
  if (!Array.isArray(parsed)) {
    const words = wordsOf(parsed);
    const busy = response.status === 429 || response.status >= 500 || throttled.test(words);
    if (busy && !aboutBatch.test(words)) throw new ChainUnavailable(`the node refused the batch: ${words}`);
    throw new BatchRefused(words);
  }
  demandUp(response);
  const answers: Answer[] = Array.from({ length: count + 1 }, () => 'missing');
  for (const entry of parsed as unknown[]) {
    const id = typeof entry === 'object' && entry !== null ? (entry as { id?: unknown }).id : undefined;
    if (typeof id === 'number' && id >= 0 && id <= count) answers[id] = readAnswer(entry as object);
  }
  if (answers[0] === 'missing') throw new BatchRefused('the node left the chain id out');
  return answers;
}

/** The answer to a lone call. */
export function decodeLone(response: Response): Answer {
  if (response.status === 413) throw new ChainUnavailable('the node answered 413');
  const parsed = parse(response);
  demandUp(response);
  const answer: unknown = Array.isArray(parsed) ? (parsed as unknown[])[0] : parsed;
  return typeof answer === 'object' && answer !== null ? readAnswer(answer) : 'missing';
}

/** Throws unless the answer to `eth_chainId` is the right chain. */
export function checkChain(answer: Answer | undefined, chainId: number): void {
  const result = typeof answer === 'object' && 'result' in answer ? answer.result : null;
  if (typeof result !== 'string') {
    const words = typeof answer === 'object' && 'error' in answer ? answer.error.message : 'no reason given';
    throw new ChainUnavailable(`the node does not tell its chain: ${words.slice(0, 200)}`);
  }
  if (Number(result) !== chainId) {
    throw new ChainError('wrong-chain', `the node serves chain ${String(Number(result))}, not ${String(chainId)}`);
  }
}

interface Response {
  readonly status: number;
  readonly body: string;
}

const aboutBatch = /batch|response (is )?too large|too many (calls|items|requests in)/i;
const throttled = /rate.?limit|too many requests|throttl|capacity|quota/i;

function parse({ status, body }: Response): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (status === 400) return null; // some servers say in HTML what they do not take
    throw new ChainUnavailable(`the node answered ${String(status)} and no JSON`, { cause: error });
  }
}

function demandUp({ status }: Response): void {
  if (status === 429 || status >= 500) throw new ChainUnavailable(`the node answered ${String(status)}`);
}

function readAnswer(entry: { readonly result?: unknown; readonly error?: unknown }): Answer {
  if (typeof entry.error === 'object' && entry.error !== null) {
    const { code, message, data } = entry.error as Record<string, unknown>;
    const words = typeof message === 'string' ? message : 'no message';
    return aboutBatch.test(words) ? 'missing' : { error: new NodeError(Number(code), words, data) };
  }
  return entry.result === undefined ? 'malformed' : { result: entry.result };
}

function wordsOf(answer: unknown): string {
  const { error } = (typeof answer === 'object' && answer !== null ? answer : {}) as { error?: { message?: unknown } };
  return typeof error?.message === 'string' ? error.message.slice(0, 200) : 'no reason given';
}
