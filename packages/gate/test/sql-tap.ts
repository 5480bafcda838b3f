import { connect, createServer, type Socket } from 'node:net';

/** What a client said to PostgreSQL between the first statement of a transaction and its end. */
interface Transaction {
  /** The text of each statement that ran. */
  readonly statements: readonly string[];
  /** Bytes that the client sent, parameters and all. */
  readonly bytes: number;
}

/** A wire to PostgreSQL that notes the transactions on it. */
export interface SqlTap {
  readonly port: number;
  readonly transactions: readonly Transaction[];
  close(): Promise<void>;
}

/** Opens a tap before a PostgreSQL port of this machine; for connections without TLS. */
export async function openSqlTap(targetPort: number): Promise<SqlTap> {
  const transactions: Transaction[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    const listener = new Listener((transaction) => transactions.push(transaction));
    client.on('data', (chunk: Buffer) => {
      listener.said(chunk);
      target.write(chunk);
    });
    target.on('data', (chunk: Buffer) => {
      listener.heard(chunk);
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the tap has no port');
  return {
    port: address.port,
    transactions,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

/**
 * One connection (PostgreSQL, "Message Formats"). The server answers each Query and each Sync with one ReadyForQuery,
 * whose status says whether a transaction is open: so what was said is cut into transactions, though it be pipelined.
 */
class Listener {
  readonly #onEnd: (transaction: Transaction) => void;
  readonly #prepared = new Map<string, string>();
  #said = Buffer.alloc(0);
  #heard = Buffer.alloc(0);
  #isStarted = false;
  #isReady = false;
  /** What was said and is not answered yet, the newest last and still open. */
  #rounds: { statements: string[]; bytes: number }[] = [{ statements: [], bytes: 0 }];
  #open: Transaction = { statements: [], bytes: 0 };

  constructor(onEnd: (transaction: Transaction) => void) {
    this.#onEnd = onEnd;
  }

  said(chunk: Buffer): void {
    this.#said = Buffer.concat([this.#said, chunk]);
    if (!this.#isStarted && this.#said.length >= 4) {
      // The startup message alone has no type.
      this.#said = this.#said.subarray(this.#said.readUInt32BE(0));
      this.#isStarted = true;
    }
    const { messages, rest } = split(this.#said);
    this.#said = rest;
    for (const { type, body } of messages) this.#note(type, body);
  }

  heard(chunk: Buffer): void {
    const { messages, rest } = split(Buffer.concat([this.#heard, chunk]));
    this.#heard = rest;
    for (const { type, body } of messages) if (type === 'Z') this.#answered(body.toString());
  }

  #note(type: string, body: Buffer): void {
    const round = this.#rounds.at(-1);
    if (round === undefined || type === 'p') return;
    round.bytes += body.length;
    const [first = '', second = ''] = type === 'P' || type === 'B' || type === 'Q' ? texts(body) : [];
    if (type === 'P') this.#prepared.set(first, second);
    if (type === 'B') round.statements.push(this.#prepared.get(second) ?? '');
    if (type === 'Q') round.statements.push(first);
    if (type === 'Q' || type === 'S') this.#rounds.push({ statements: [], bytes: 0 });
  }

  #answered(status: string): void {
    // The first one ends the login.
    if (!this.#isReady) {
      this.#isReady = true;
      return;
    }
    const round = this.#rounds.shift();
    if (round === undefined) throw new Error('an answer to nothing');
    const { statements, bytes } = this.#open;
    this.#open = { statements: [...statements, ...round.statements], bytes: bytes + round.bytes };
    if (status !== 'I') return;
    this.#onEnd(this.#open);
    this.#open = { statements: [], bytes: 0 };
  }
}

function split(bytes: Buffer): { messages: readonly { type: string; body: Buffer }[]; rest: Buffer<ArrayBuffer> } {
  const messages: { type: string; body: Buffer }[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push({ type: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return { messages, rest: Buffer.from(bytes.subarray(at)) };
}

/** The two texts that a message begins with. */
function texts(body: Buffer): readonly string[] {
  const end = body.indexOf(0);
  return [body.toString('utf8', 0, end), body.toString('utf8', end + 1, Math.max(end + 1, body.indexOf(0, end + 1)))];
}
