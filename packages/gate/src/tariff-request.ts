import { isPromise } from 'node:util/types';
import type { CalledRequest, PricedRequest, RequestTexts } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import { type ArgumentMetadata, StandardSchemaValidationPipe } from '@nestjs/common';
import { Unpriceable } from './tariff-figure.js';

/** A schema by the Standard Schema specification, such as one of zod. */
export type Schema = NonNullable<ArgumentMetadata['schema']>;

/**
 * The parts of a request that prices are told from, by the schemas that they must fit. A request that does not fit is
 * 400 `request/invalid` before its price is known. The schemas must answer at once.
 */
export interface Reads {
  readonly query?: Schema;
  readonly params?: Schema;
  /**
   * The price depends on the body: a caller without a credential is asked to pay after the body was read, not before.
   */
  readonly body?: Schema;
}

/** Of a tariff without schemas. */
export interface NoReads {
  readonly query?: never;
  readonly params?: never;
  readonly body?: never;
}

type Output<S, Otherwise> = S extends Schema ? NonNullable<S['~standard']['types']>['output'] : Otherwise;

/** The request as the functions of a tariff with these schemas see it. */
export type RequestOf<R extends Reads> = PricedRequest<
  Output<R['query'], RequestTexts>,
  Output<R['params'], RequestTexts>,
  Output<R['body'], undefined>
>;

/** Tells a fault of what is no part of a request that a price may depend on, and of what is no schema. */
export function checkReads(reads: Reads, faults: string[]): void {
  for (const [part, schema] of Object.entries<unknown>({ ...reads })) {
    if (!['query', 'params', 'body'].includes(part)) faults.push(`reads has no "${part}": query, params and body`);
    else if (!isSchema(schema)) faults.push(`reads has no schema of the ${part}`);
  }
}

/** An object, or, in some libraries, a function. */
function isSchema(value: unknown): boolean {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && '~standard' in value;
}

/** What the functions of a tariff see of a request. Throws 400 for one that does not fit. */
export function readRequest({ method, query, params, body }: CalledRequest, reads: Reads): PricedRequest {
  return Object.freeze({
    method,
    query: readTexts('query', query, reads.query),
    params: readTexts('params', params, reads.params),
    body: reads.body === undefined ? undefined : validate(body, reads.body),
  });
}

function readTexts(part: 'query' | 'params', value: unknown, schema: Schema | undefined): RequestTexts {
  return schema === undefined ? texts(part, value) : (validate(value, schema) as RequestTexts);
}

/** A copy without a prototype, so that no name finds what the request did not say. */
function texts(part: string, value: unknown): RequestTexts {
  const copy = Object.create(null) as Record<string, string | readonly string[]>;
  for (const [name, text] of Object.entries(value ?? {})) {
    if (typeof text === 'string') copy[name] = text;
    else if (Array.isArray(text) && text.every((each) => typeof each === 'string'))
      copy[name] = Object.freeze([...text]);
    else throw new Problem('request/malformed', `The ${part} of the request must be texts by name.`);
  }
  return Object.freeze(copy);
}

function validate(value: unknown, schema: Schema): unknown {
  const result = schema['~standard'].validate(value);
  if (isPromise(result)) {
    result.catch(() => undefined);
    throw new Unpriceable('a schema of its tariff does not answer at once');
  }
  if (result.issues === undefined) return result.value === value ? value : Object.freeze(result.value);
  throw new Problem('request/invalid', undefined, { extensions: { errors: messages.of(result.issues) } });
}

/** Words issues as the pipe does that validates what the handler takes, and no more of them. */
class IssueMessages extends StandardSchemaValidationPipe {
  of(issues: Parameters<StandardSchemaValidationPipe['formatIssueMessages']>[0]): readonly string[] {
    return this.formatIssueMessages(issues);
  }
}

const messages = new IssueMessages();
