import { z } from 'zod';

const filled = z.string().min(1);
const object = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/**
 * The outer shape of a payment payload of x402 version 1. Both schemas judge as those of `@x402/core` do, which a test
 * compares, at a fraction of the time.
 */
export const outerPayloadV1 = z.object({
  x402Version: z.literal(1),
  scheme: filled,
  network: filled,
  payload: object,
});

/** The outer shape of a payment payload of x402 version 2. `resource` is unsigned and nobody here reads it. */
export const outerPayloadV2 = z.object({
  x402Version: z.literal(2),
  accepted: z.object({
    scheme: filled,
    network: z.string().min(3).includes(':'),
    asset: filled,
    amount: filled,
    payTo: filled,
    maxTimeoutSeconds: z.number().positive(),
    extra: object.nullish(),
  }),
  payload: object,
  extensions: object.nullish(),
});
