import type { PricedRequest, TariffChoice } from '@keyfare/core/metering';
import { Problem } from '@keyfare/core/problem';
import { ask, isPlainFunction, Unpriceable } from './tariff-figure.js';

/** Chooses by one text of the request: a parameter of its query, or one of its path. */
export interface ChoiceByText<Sku extends string> {
  /** The name of the parameter in the query. Name either this or `param`. */
  readonly query?: string;
  /** The name of the parameter in the path. */
  readonly param?: string;
  /** The sku for each value of the parameter. Another value, or two, is 400 `tariff/unknown-choice`. */
  readonly values: Readonly<Record<string, Sku>>;
  /** The sku where the query does not have the parameter. @default such a request is 400 `tariff/unknown-choice` */
  readonly absent?: Sku;
}

/**
 * How a request chooses among the skus of its route. A function answers at once, from the request alone;
 * undefined, or a sku that the route does not have, is 400 `tariff/unknown-choice`.
 */
export type ChoiceOption<Request, Sku extends string> = ChoiceByText<Sku> | ((request: Request) => Sku | undefined);

/** Answers the sku that a request chooses. Throws 400 where it chooses none that there is. */
export type Choose = (request: PricedRequest) => string;

/** The choice as documents show it; undefined for a function, and for what is not one. */
export function showChoice<R>(option: ChoiceOption<R, string> | undefined): TariffChoice | undefined {
  if (typeof option !== 'object' || option === null) return undefined;
  const { query, param, values, absent } = option;
  return Object.freeze({ in: query === undefined ? 'path' : 'query', name: String(query ?? param), values, absent });
}

/** The choice as declared; undefined, with faults told, for one that makes no sense. */
export function readChoice<R>(
  option: ChoiceOption<R, string> | undefined,
  skus: ReadonlySet<string>,
  faults: string[],
): Choose | undefined {
  if (typeof option !== 'object' || option === null) {
    if (!isPlainFunction('the choice among the skus', option, faults)) return undefined;
    const choose = option as (request: R) => unknown;
    return (request) => chosen(skus, ask(choose, request));
  }
  const { query, param, values, absent } = option;
  const name = query ?? param;
  if ((query === undefined) === (param === undefined))
    faults.push('the choice must name a query or a param, and not both');
  if (param !== undefined && absent !== undefined) faults.push('the choice by param needs no absent: a path has all');
  const bySku = new Map(Object.entries(values ?? {}));
  if (bySku.size === 0) faults.push('the choice has no values');
  for (const sku of [...bySku.values(), ...(absent === undefined ? [] : [absent])]) {
    if (!skus.has(sku)) faults.push(`the choice names ${JSON.stringify(sku)}, which is not among the skus`);
  }
  const reached = new Set([...bySku.values(), absent]);
  for (const sku of skus) if (!reached.has(sku)) faults.push(`no choice leads to "${sku}"`);
  if (name === undefined) return undefined;
  const detail = `Choose by "${name}": ${[...bySku.keys()].join(', ')}.`;
  return (request) => {
    const text = (query === undefined ? request.params : request.query)[name];
    const sku = typeof text === 'string' ? bySku.get(text) : text === undefined ? absent : undefined;
    if (sku === undefined) throw new Problem('tariff/unknown-choice', detail);
    return sku;
  };
}

function chosen(skus: ReadonlySet<string>, told: unknown): string {
  if (told !== undefined && typeof told !== 'string')
    throw new Unpriceable('the choice is neither a sku nor undefined');
  if (told === undefined || !skus.has(told)) throw new Problem('tariff/unknown-choice');
  return told;
}
