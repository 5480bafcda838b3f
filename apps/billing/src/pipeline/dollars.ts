import { parseMoney } from '@keyfare/core/money';
import { z } from 'zod';

/** Dollars and cents, more than nothing. */
export const amountText = z
  .string()
  .regex(/^(?!0*(?:\.0*)?$)\d{1,12}(?:\.\d{1,2})?$/, 'must be dollars and cents, more than nothing');

/** In micro-dollars. */
export function optionalAmount(text: string | undefined): bigint | undefined {
  return text === undefined ? undefined : parseMoney('USD', text).atomic;
}
