import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Stage } from './stages.js';

const callKey = createContextKey('keyfare: the call');

/** How a call ended, as its span says it. Nothing in it is a secret: no header, path parameter, query or body. */
export interface TracedEnd {
  readonly status: number;
  readonly rail: string;
  readonly sku: string | undefined;
  /** The code of the problem that was answered. */
  readonly problem: string | undefined;
  readonly receipt: string | undefined;
}

/**
 * The context of a call: its span is that of the stage which the call is in at the moment. A handler runs in the async
 * context of a hook before it, so its stage's span cannot be put into a context of its own for it.
 */
class CallContext implements Context {
  inner: Context;

  constructor(outer: Context, call: CallTrace) {
    this.inner = outer.setValue(callKey, call);
  }

  getValue(key: symbol): unknown {
    return this.inner.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.inner.setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return this.inner.deleteValue(key);
  }
}

/** The spans of one request: one of the server's, and under it one for each stage. */
export class CallTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: CallContext;
  readonly #base: Context;
  #stage: Span | undefined;
  #isEnded = false;

  constructor(tracer: Tracer, span: Span, outer: Context) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = new CallContext(trace.setSpan(outer, span), this);
    this.#base = this.#context.inner;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  /** `traceresponse` of the editor's draft "Trace Context HTTP Response Format": the caller learns our span. */
  get response(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`;
  }

  /** Whether the request was answered: what goes on in its context after that is no part of it. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Runs what belongs to the call in its context. */
  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }

  /** Ends the stage before, and begins this one. */
  enter(stage: Stage): void {
    this.leave();
    if (this.#isEnded) return;
    this.#stage = this.#tracer.startSpan(stage, {}, this.#base);
    this.#context.inner = trace.setSpan(this.#base, this.#stage);
  }

  /** Ends the stage. */
  leave(): void {
    this.#stage?.end();
    this.#stage = undefined;
    this.#context.inner = this.#base;
  }

  /** The response has closed. A refusal is no error of the server's (HTTP semantic conventions: 5xx only). */
  end({ status, rail, sku, problem, receipt }: TracedEnd): void {
    this.leave();
    this.#isEnded = true;
    const attributes: Attributes = { 'http.response.status_code': status, 'keyfare.rail': rail };
    if (sku !== undefined) attributes['keyfare.sku'] = sku;
    if (problem !== undefined) attributes['keyfare.problem'] = problem;
    if (receipt !== undefined) attributes['keyfare.receipt'] = receipt;
    if (status >= 500) {
      attributes['error.type'] = problem ?? String(status);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.setAttributes(attributes);
    this.#span.end();
  }
}

/** The call in whose context this runs. */
export function callOf(active: Context): CallTrace | undefined {
  return active.getValue(callKey) as CallTrace | undefined;
}

/** Starts the server's span of a request, under `outer`. */
export function startCall(
  tracer: Tracer,
  { method, route, exchange, isInner }: { method: string; route: string; exchange: string; isInner: boolean },
  outer: Context,
): CallTrace {
  const isKnown = knownMethods.has(method);
  const attributes: Attributes = {
    'http.request.method': isKnown ? method : '_OTHER',
    'http.route': route,
    'keyfare.exchange': exchange,
  };
  const kind = isInner ? SpanKind.INTERNAL : SpanKind.SERVER;
  const span = tracer.startSpan(`${isKnown ? method : 'HTTP'} ${route}`, { kind, attributes }, outer);
  return new CallTrace(tracer, span, outer);
}

/** RFC 9110 §9.3 and PATCH (RFC 5789): others would make as many names as a stranger likes. */
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);
