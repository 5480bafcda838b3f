import { z } from 'zod';

// The pieces that payloads of signed documents are made of. Each takes one spelling only: what is signed is compared
// byte for byte.

/** A version 1 to 8 UUID (RFC 9562), lower-case. */
export const uuid: z.ZodString = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'must be a lower-case UUID');

/** A name for programs: printable ASCII without spaces. */
export const identifier: z.ZodString = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be printable ASCII');

/** Whole seconds since 1970, and other counts. */
export const count: z.ZodInt = z.int().nonnegative();

/** A count that may not fit a JSON number: a decimal string of up to 78 digits. */
export const decimalString: z.ZodString = z.string().regex(/^(?:0|[1-9]\d{0,77})$/, 'must be a decimal string');

/** A CAIP-2 identifier of an EVM chain. */
export const network: z.ZodString = z.string().regex(/^eip155:[1-9]\d{0,31}$/, 'must be a CAIP-2 identifier');

/** An EVM address, lower-case. */
export const address: z.ZodString = z.string().regex(/^0x[0-9a-f]{40}$/, 'must be a lower-case address');

/** A transaction hash or an authorization nonce, lower-case. */
export const bytes32: z.ZodString = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be 32 bytes of lower-case hex');

/** A SHA-256 digest as RFC 9530 writes it, `sha-256=:…:`, in canonical base64. */
export const digest: z.ZodString = z
  .string()
  .regex(/^sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:$/, 'must be sha-256=:<base64>:');

/** An absolute http or https URL in printable ASCII, as `URL` serialises it. */
export const url: z.ZodString = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[\x21-\x7e]+$/, 'must be an absolute URL');

/** The method of a request, upper-case. */
export const method: z.ZodString = z.string().regex(/^[A-Z]{1,16}$/, 'must be an HTTP method');
