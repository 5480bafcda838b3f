import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Ed25519Jwk } from '@keyfare/core/receipt';
import { verifyEd25519 } from './verify-ed25519.js';

/** One signature to check: whether `key` signed `message`. */
export interface SignatureQuestion {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly key: Ed25519Jwk;
}

/** What a worker is asked: so many questions, their bytes one after the other. */
export interface SignatureJob {
  /** Of each question the number of its key, and the lengths of its signature and of its message. */
  readonly heads: Uint32Array;
  readonly bytes: Uint8Array;
  /** `x` of each key. */
  readonly keys: readonly string[];
}

interface Pending {
  readonly job: SignatureJob;
  readonly resolve: (verdicts: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** More of them would take the cores of the database. */
const mostWorkers = 4;
/** So many go to a worker at a time: its answer costs a turn of both event loops. */
const questionsInOneJob = 125;
/** Fewer are checked at once: to hand them over would take longer. */
const fewestQuestions = 16;

/**
 * Checks Ed25519 signatures in worker threads, of which there are at most as many as the machine has cores: the main
 * thread waits for the database most of the time. A worker that ends takes its job with it: whoever asked gets an
 * Error, and the next question a new worker.
 */
export class SignaturePool {
  readonly #size = Math.min(mostWorkers, availableParallelism());
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Pending>();
  readonly #waiting: Pending[] = [];
  #isClosed = false;

  constructor(private readonly script: URL = new URL('signature-worker.js', import.meta.url)) {}

  /** The answer to each question, in their order. */
  async verify(questions: readonly SignatureQuestion[]): Promise<readonly boolean[]> {
    if (questions.length < fewestQuestions) {
      return questions.map(({ signature, message, key }) => verifyEd25519(signature, message, key));
    }
    const jobs: SignatureJob[] = [];
    for (let from = 0; from < questions.length; from += questionsInOneJob) {
      jobs.push(jobOf(questions.slice(from, from + questionsInOneJob)));
    }
    const verdicts = await Promise.all(jobs.map(async (job) => this.#ask(job)));
    return verdicts.flatMap((some) => Array.from(some, (verdict) => verdict === 1));
  }

  /** Ends the workers; what is asked still is answered with an Error. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('signatures are not checked any more'));
    await Promise.all([...this.#idle, ...this.#busy.keys()].map(async (worker) => worker.terminate()));
  }

  async #ask(job: SignatureJob): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new Error('signatures are not checked any more'));
        return;
      }
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.#size ? this.#start() : undefined);
      if (worker === undefined) return;
      const pending = this.#waiting.shift() as Pending;
      this.#busy.set(worker, pending);
      worker.ref();
      worker.postMessage(pending.job, [pending.job.bytes.buffer as ArrayBuffer]);
    }
  }

  #start(): Worker {
    const worker = new Worker(this.script, { name: 'signatures' });
    worker.on('message', (verdicts: Uint8Array) => {
      this.#take(worker)?.resolve(verdicts);
      // Nothing to wait for keeps the process from ending.
      worker.unref();
      this.#idle.push(worker);
      this.#next();
    });
    const gone = (error: Error): void => {
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
      this.#take(worker)?.reject(error);
      this.#next();
    };
    worker.on('error', gone);
    worker.on('exit', () => gone(new Error('a worker that checks signatures has ended')));
    return worker;
  }

  #take(worker: Worker): Pending | undefined {
    const pending = this.#busy.get(worker);
    this.#busy.delete(worker);
    return pending;
  }
}

function jobOf(questions: readonly SignatureQuestion[]): SignatureJob {
  const keys: string[] = [];
  const heads = new Uint32Array(questions.length * 3);
  let room = 0;
  for (const [index, { signature, message, key }] of questions.entries()) {
    if (!keys.includes(key.x)) keys.push(key.x);
    heads.set([keys.indexOf(key.x), signature.length, message.length], index * 3);
    room += signature.length + message.length;
  }
  const bytes = new Uint8Array(room);
  let at = 0;
  for (const { signature, message } of questions) {
    bytes.set(signature, at);
    bytes.set(message, at + signature.length);
    at += signature.length + message.length;
  }
  return { heads, bytes, keys };
}
