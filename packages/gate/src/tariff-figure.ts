import { isAsyncFunction, isPromise } from 'node:util/types';
import { constant, type Figure, type PricedRequest } from '@keyfare/core/metering';
import { formatMoney, type Money, money, type PriceAsset, parsePrice, signOf } from '@keyfare/core/money';
import { isProblem, Problem } from '@keyfare/core/problem';
import { HttpException } from '@nestjs/common';

/**
 * A price that a function tells of each request, before any work. It answers at once, from the request alone: the same
 * request must cost the same, and may be asked for more than once. What it throws of a 4xx status (not 402) leaves as
 * it is; anything else, and an answer beyond the bounds, is 500 `tariff/failed`: nothing is charged, nobody is asked to
 * pay.
 */
export interface VariablePrice<Request> {
  /** @default the least that can be paid, `'$0.000001'` or `'€0.000001'` */
  readonly min?: string;
  readonly max: string;
  /** In US dollars, as text or as `Money` in `USD`; of an offer in EURC as text with `€` or as `Money` in `EURC`. */
  readonly of: (request: Request) => string | Money;
}

/** In US dollars: `'$0.001'`, or, of an offer in EURC, in euros: `'€0.001'`. At most six decimals. */
export type PriceOption<Request> = string | VariablePrice<Request>;

/** As `VariablePrice`, of the units of a plan's allowance: whole numbers. */
export interface VariableUnits<Request> {
  /** @default 1 */
  readonly min?: number;
  readonly max: number;
  readonly of: (request: Request) => number;
}

/** How many units of its plan's allowance a call costs an account. */
export type UnitsOption<Request> = number | VariableUnits<Request>;

/** A tariff has no price for a request, and it is not the request's fault. Private: callers see 500 `tariff/failed`. */
export class Unpriceable extends Error {
  override readonly name = 'Unpriceable';
}

/** More than any asset has: what is above it is a typing error, and would not fit the token's uint256. */
const highestPrice = 10n ** 18n;

/** The price as declared, in one asset; undefined, with a fault told, for one that makes no sense. */
export function readPrice<R>(
  option: PriceOption<R>,
  faults: string[],
  asset: PriceAsset = 'USD',
): Figure<Money> | undefined {
  if (!isVariable(option)) {
    const amount = readAmount(option, asset, faults);
    return amount && constant(amount);
  }
  const sign = signOf[asset];
  const { min = `${sign}0.000001`, max, of } = option;
  const [least, most] = [readAmount(min, asset, faults), readAmount(max, asset, faults)];
  if (!isPlainFunction('the price', of, faults) || least === undefined || most === undefined) return undefined;
  if (least.atomic > most.atomic) faults.push(`the lowest price ${min} is above the highest, ${max}`);
  return {
    min: least,
    max: most,
    of: (request) => {
      const told = ask(of, request);
      const amount = typeof told === 'string' ? amountOf(told, asset) : moneyOf(told, asset);
      if (amount === undefined || amount.atomic < least.atomic || amount.atomic > most.atomic) {
        throw new Unpriceable(
          `the price is ${show(told)}, not between ${sign}${formatMoney(least)} and ${sign}${formatMoney(most)}`,
        );
      }
      return amount;
    },
  };
}

/** The units as declared; undefined, with a fault told, for some that make no sense. */
export function readUnits<R>(option: UnitsOption<R>, faults: string[]): Figure<bigint> | undefined {
  if (!isVariable(option)) {
    if (isCount(option)) return constant(BigInt(option));
    faults.push('units must be a whole number, at least 1');
    return undefined;
  }
  const { min = 1, max, of } = option;
  if (!isPlainFunction('units', of, faults)) return undefined;
  if (!isCount(min) || !isCount(max) || min > max) {
    faults.push('units must lie between two whole numbers, at least 1, the lower one first');
    return undefined;
  }
  return {
    min: BigInt(min),
    max: BigInt(max),
    of: (request) => {
      const told = ask(of, request);
      if (isCount(told) && told >= min && told <= max) return BigInt(told);
      throw new Unpriceable(`the units are ${show(told)}, not a whole number between ${min} and ${max}`);
    },
  };
}

/** What a function of a tariff answers for a request. Throws `Unpriceable` for a promise: a quote waits for nothing. */
export function ask(of: (request: never) => unknown, request: PricedRequest): unknown {
  const told = of(request as never);
  if (!isPromise(told)) return told;
  told.catch(() => undefined);
  throw new Unpriceable('a function of its tariff answers a promise');
}

/** Tells a fault of what is no function, or one that cannot answer at once. */
export function isPlainFunction(what: string, of: unknown, faults: string[]): boolean {
  if (typeof of !== 'function') faults.push(`${what} must be told by a function`);
  else if (isAsyncFunction(of)) faults.push(`${what} must be told at once: the function is async`);
  return typeof of === 'function' && !isAsyncFunction(of);
}

/** What leaves when a tariff told no price: a refusal by the tariff itself, or 500. */
export function toRefusal(error: unknown): unknown {
  const status = isProblem(error) ? error.status : error instanceof HttpException ? error.getStatus() : 500;
  // A 402 of the function's would have no offers.
  if (status >= 400 && status < 500 && status !== 402) return error;
  return new Problem('tariff/failed', undefined, { cause: error });
}

function isVariable<T extends { of: unknown }>(option: T | string | number): option is T {
  return typeof option === 'object' && option !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** A copy: what a function keeps of its answer changes no quote. */
function moneyOf(value: unknown, wanted: PriceAsset): Money | undefined {
  if (typeof value !== 'object' || value === null || !('asset' in value) || !('atomic' in value)) return undefined;
  const { asset, atomic } = value;
  return asset === wanted && typeof atomic === 'bigint' ? money(wanted, atomic) : undefined;
}

/** For the log, in a bounded length. */
function show(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value);
  return JSON.stringify(text.slice(0, 100));
}

const writing = {
  USD: 'write dollars with at most six decimals, such as "$0.001"',
  EURC: 'write euros with at most six decimals, such as "€0.001"',
} as const;

function readAmount(text: string, asset: PriceAsset, faults: string[]): Money | undefined {
  const amount = amountOf(text, asset);
  const fault =
    amount === undefined
      ? `the price ${JSON.stringify(text)} is none: ${writing[asset]}`
      : amount.atomic === 0n
        ? `the price is ${signOf[asset]}0, which no wallet can pay: say @Free(), or a price`
        : amount.atomic > highestPrice
          ? `the price ${text} is more than there is: ${writing[asset]}`
          : undefined;
  if (fault !== undefined) faults.push(fault);
  return fault === undefined ? amount : undefined;
}

function amountOf(text: string, asset: PriceAsset): Money | undefined {
  try {
    return parsePrice(text, asset);
  } catch {
    return undefined;
  }
}
