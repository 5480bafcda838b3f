import type { SqlOutcome } from '@keyfare/db/sql-observer';
import type { RpcOutcome } from '@keyfare/evm/chain';
import { Injectable } from '@nestjs/common';
import {
  type Attributes,
  context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TraceState,
  trace,
} from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import { type CallTrace, callOf, startCall } from './call-trace.js';
import type { TraceParent } from './trace-parent.js';

const name = '@keyfare/gate';

/**
 * Spans for the SDK of OpenTelemetry that the host has registered before the gate was made. Without one no span is
 * made, and nothing of the API is called for a request. Only the API is imported: which SDK, and where spans go, is the
 * host's.
 */
@Injectable()
export class Tracing {
  readonly #tracer = registeredTracer();
  /** The calls under way, by the id of their exchange: as many as requests are. */
  readonly #calls = new Map<string, CallTrace>();

  /** Whether an SDK was registered. */
  get isOn(): boolean {
    return this.#tracer !== undefined;
  }

  /**
   * Begins the span of a request. Its parent is the span of the moment, where the host's instrumentation made one, and
   * else the caller's.
   */
  open(request: FastifyRequest, exchange: string, parent: TraceParent | null): CallTrace | undefined {
    if (this.#tracer === undefined) return undefined;
    const isInner = trace.getActiveSpan() !== undefined;
    const outer = isInner || parent === null ? context.active() : remoteContext(request, parent);
    const route = request.routeOptions.url ?? 'unmatched';
    const call = startCall(this.#tracer, { method: request.method, route, exchange, isInner }, outer);
    this.#calls.set(exchange, call);
    return call;
  }

  /** The request's span has ended. */
  forget(exchange: string): void {
    if (this.#tracer !== undefined) this.#calls.delete(exchange);
  }

  /** Runs what is done for many calls together in the context of the first of them. */
  runFor<T>(exchange: string | undefined, work: () => T): T {
    if (this.#tracer === undefined) return work();
    const call = exchange === undefined ? undefined : this.#calls.get(exchange);
    return call === undefined ? context.with(ROOT_CONTEXT, work) : call.run(work);
  }

  /** Runs what outlives the call that began it: its questions are nobody's children. */
  runApart<T>(work: () => T): T {
    return this.#tracer === undefined ? work() : context.with(ROOT_CONTEXT, work);
  }

  /** Runs a step that is no stage of its own, with a span around it. */
  async within<T>(step: string, work: () => Promise<T>): Promise<T> {
    const span = this.#begin(step, SpanKind.INTERNAL, {});
    if (span === undefined) return work();
    try {
      return await context.with(trace.setSpan(context.active(), span), work);
    } finally {
      span.end();
    }
  }

  /** The span of a statement: what is called at its end, or undefined where nobody's call asked for it. */
  beginSql(statement: string): ((outcome: SqlOutcome) => void) | undefined {
    if (this.#tracer === undefined) return undefined;
    const attributes = { 'db.system.name': 'postgresql', 'db.query.summary': statement };
    return ending(this.#begin(statement, SpanKind.CLIENT, attributes));
  }

  /** The span of a call to a node: as `beginSql`. */
  beginRpc(network: string, method: string): ((outcome: RpcOutcome) => void) | undefined {
    if (this.#tracer === undefined) return undefined;
    const attributes = { 'rpc.system': 'jsonrpc', 'rpc.method': method, 'keyfare.network': network };
    return ending(this.#begin(method, SpanKind.CLIENT, attributes));
  }

  /** Only under a span: heartbeats and polls would each be a trace of their own. */
  #begin(title: string, kind: SpanKind, attributes: Attributes): Span | undefined {
    const active = context.active();
    if (callOf(active)?.isEnded === true || trace.getSpan(active) === undefined) return undefined;
    return this.#tracer?.startSpan(title, { kind, attributes }, active);
  }
}

function ending(span: Span | undefined): ((outcome: SqlOutcome | RpcOutcome) => void) | undefined {
  if (span === undefined) return undefined;
  return (outcome) => {
    if (outcome !== 'ok') {
      span.setAttribute('error.type', outcome);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  };
}

/** The caller's span, with its `tracestate`. */
function remoteContext(request: FastifyRequest, { traceId, spanId, flags: traceFlags }: TraceParent) {
  const traceState = readTraceState(request.headers['tracestate']);
  const parent = { traceId, spanId, traceFlags, isRemote: true, ...(traceState && { traceState }) };
  return trace.setSpanContext(context.active(), parent);
}

/**
 * W3C Trace Context §3.3.1: 32 members at most, and 512 characters must be carried on. More is left out as a whole, for
 * the API would turn the order of 32 out of more around, and their order is their meaning.
 */
function readTraceState(header: string | readonly string[] | undefined): TraceState | undefined {
  if (typeof header !== 'string' || header.length > 512 || header.split(',').length > 32) return undefined;
  return createTraceState(header);
}

/** The API hands out tracers that do nothing while no SDK is registered; only its provider can tell them apart. */
function registeredTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  const isProxy = 'getDelegateTracer' in provider && typeof provider.getDelegateTracer === 'function';
  if (isProxy && (provider.getDelegateTracer as (name: string) => Tracer | undefined)(name) === undefined)
    return undefined;
  return trace.getTracer(name);
}
