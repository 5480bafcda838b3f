import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { lingerAtEnd } from './linger.js';

/** Whether bytes may leave, and what to do with an attempt to send some before. */
export interface ResponseGate {
  readonly exchange: { readonly mayLeave: boolean };
  /** Answers in the place of what was written, and ends the hold. */
  readonly refuse: () => void;
}

type Any = (...args: unknown[]) => unknown;

/** Which response a socket carries now; the others of pipelined requests wait. On the socket: a map costs each call. */
const carried = Symbol('the response that the socket carries');
type Carrier = Socket & { [carried]?: GatedResponse | undefined };
/** Sockets whose own `write` and `end` ask the gate of the response they carry. */
const gatedSockets = new WeakSet<Socket>();

/** The response that the socket carries now, which no other bytes may interrupt. */
export function responseOn(socket: Socket): GatedResponse | undefined {
  return (socket as Carrier)[carried];
}

/**
 * Node's response with a gate. A handler that writes to it, takes it over, or sends early hints, passes every hook by.
 * Until the answer may leave nothing of that reaches the socket: `refuse` is called instead. It does not throw, for a
 * handler writes from callbacks as well, where an error would end the process. What it writes after the answer has gone
 * is dropped. It is a class, and not methods put on each response: those would give Node's code two shapes to look up,
 * which free routes pay for too.
 */
export class GatedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** Undefined on routes that are not priced. */
  gate: ResponseGate | undefined = undefined;

  override assignSocket(socket: Socket): void {
    super.assignSocket(socket);
    (socket as Carrier)[carried] = this;
  }

  override detachSocket(socket: Socket): void {
    super.detachSocket(socket);
    (socket as Carrier)[carried] = undefined;
    if (!this.req.complete) lingerAtEnd(socket, this.req);
  }

  /**
   * Closes the gate until the exchange opens it. The socket is gated with it: a handler that writes to the socket
   * instead of the response passes by everything of Node's. What it writes to the socket's handle is out of reach.
   */
  lock(gate: ResponseGate): void {
    this.gate = gate;
    const { socket } = this.req;
    if (this.socket === socket) (socket as Carrier)[carried] = this;
    gateSocket(socket);
  }

  override writeHead(status: unknown, reason?: unknown, headers?: unknown): this {
    if (!this.isOpen()) return this;
    // A kept-alive connection would hold the closing server open: the last response on it says that it ends.
    if (this.isServerClosing()) this.shouldKeepAlive = false;
    (super.writeHead as Any)(status, reason, headers);
    return this;
  }

  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    return this.isOpen() ? ((super.write as Any)(chunk, encoding, done) as boolean) : false;
  }

  override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
    if (this.isOpen()) (super.end as Any)(chunk, encoding, done);
    return this;
  }

  override flushHeaders(): void {
    if (this.isOpen()) super.flushHeaders();
  }

  /** An alias of Node's for the `writeHead` of its own prototype. */
  writeHeader(status: unknown, reason?: unknown, headers?: unknown): this {
    return this.writeHead(status, reason, headers);
  }

  /** An interim response would show headers before the money is sure: it is dropped, and counts as written. */
  override writeEarlyHints(hints: unknown, done?: unknown): void {
    if (this.gate === undefined) (super.writeEarlyHints as Any)(hints, done);
    else if (typeof done === 'function') process.nextTick(done);
  }

  override writeProcessing(done?: unknown): void {
    if (this.gate === undefined) (super.writeProcessing as Any)(done);
    else if (typeof done === 'function') process.nextTick(done);
  }

  protected isServerClosing(): boolean {
    return false;
  }

  private isOpen(): boolean {
    const { gate } = this;
    if (gate === undefined) return true;
    if (this.writableEnded) return false;
    if (gate.exchange.mayLeave) return true;
    gate.refuse();
    return false;
  }
}

function gateSocket(socket: Socket): void {
  if (gatedSockets.has(socket)) return;
  gatedSockets.add(socket);
  const write = socket.write.bind(socket) as Any;
  const end = socket.end.bind(socket) as Any;
  socket.write = ((...args: unknown[]) => mayWrite(socket) && write(...args)) as Socket['write'];
  // Node ends the socket of a caller who has left. Only bytes are asked about.
  socket.end = ((...args: unknown[]) => (hasBytes(args) && !mayWrite(socket) ? socket : end(...args))) as Socket['end'];
}

function hasBytes([chunk]: readonly unknown[]): boolean {
  return chunk !== undefined && chunk !== null && typeof chunk !== 'function';
}

function mayWrite(socket: Socket): boolean {
  const gate = (socket as Carrier)[carried]?.gate;
  if (gate === undefined || gate.exchange.mayLeave) return true;
  gate.refuse();
  return false;
}

/** The responses of one server. */
export function responsesOf(server: { readonly isClosing: boolean }): typeof GatedResponse {
  return class<Request extends IncomingMessage> extends GatedResponse<Request> {
    protected override isServerClosing(): boolean {
      return server.isClosing;
    }
  };
}
