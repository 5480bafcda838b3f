import { catalogue } from '@keyfare/core/problem';
import type { OpenAPIObject } from '@nestjs/swagger';

type Components = NonNullable<OpenAPIObject['components']>;

/** How a caller may show who pays. */
export const securitySchemes: Components['securitySchemes'] = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key; on the routes of operators, the token of one.',
  },
  apiKeyHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'The same API key, in another header.',
  },
  x402: {
    type: 'apiKey',
    in: 'header',
    name: 'PAYMENT-SIGNATURE',
    description:
      'A signed payment of x402 version 2, made for one of the offers of the 402. Version 1 has it in X-PAYMENT. No key is ' +
      'needed beside it.',
  },
};

/** What every refusal looks like, and that which asks for payment. */
export const problemSchemas: NonNullable<Components['schemas']> = {
  Problem: {
    type: 'object',
    description: 'A refusal (RFC 9457).',
    properties: {
      type: { type: 'string', format: 'uri-reference', description: 'The page of the problem.' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      instance: { type: 'string', format: 'uri' },
      code: { type: 'string', enum: Object.keys(catalogue), description: 'Stable: decide by this.' },
    },
    required: ['type', 'title', 'status', 'code'],
  },
  PaymentRequired: {
    description: 'The problem, with the members that clients of x402 version 1 read.',
    allOf: [
      { $ref: '#/components/schemas/Problem' },
      {
        type: 'object',
        properties: {
          x402Version: { type: 'integer', enum: [1] },
          error: { type: 'string' },
          accepts: { type: 'array', items: { $ref: '#/components/schemas/Offer' } },
        },
        required: ['x402Version', 'error', 'accepts'],
      },
    ],
  },
  Offer: {
    type: 'object',
    description: 'One way to pay: the requirements of x402 version 1.',
    properties: {
      scheme: { type: 'string', enum: ['exact'] },
      network: { type: 'string' },
      maxAmountRequired: { type: 'string', description: 'Atomic units of the asset.' },
      resource: { type: 'string', format: 'uri' },
      description: { type: 'string' },
      mimeType: { type: 'string' },
      payTo: { type: 'string' },
      maxTimeoutSeconds: { type: 'integer' },
      asset: { type: 'string' },
      outputSchema: { type: 'object', description: 'What the route takes and answers.' },
      extra: { type: 'object' },
    },
    required: ['scheme', 'network', 'maxAmountRequired', 'resource', 'payTo', 'maxTimeoutSeconds', 'asset'],
  },
};

const retryAfter = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } } as const;

/** The refusals of priced routes, as components: each operation refers to them. */
export const problemResponses: NonNullable<Components['responses']> = {
  Malformed: problem('The request is malformed, or fits no schema. It costs nothing.', 'Problem'),
  BadKey: problem(
    'The key is malformed, unknown, revoked or expired; a payment that came along is untouched.',
    'Problem',
  ),
  PaymentRequired: problem('What it costs, for x402 versions 1 and 2.', 'PaymentRequired', {
    'PAYMENT-REQUIRED': {
      description: 'The challenge of x402 version 2: base64 of JSON.',
      schema: { type: 'string', contentEncoding: 'base64', contentMediaType: 'application/json' },
    },
  }),
  Forbidden: problem('The key has not the scope for it, or the account is suspended.', 'Problem'),
  Conflict: problem('The payment is being worked on, or was served to somebody.', 'Problem', retryAfter),
  Limited: problem('The allowance is used up, or there are too many requests.', 'Problem', retryAfter),
  Unavailable: problem('Come back; with the same payment, where one was shown.', 'Problem', retryAfter),
};

/** By status, what a priced operation may be refused with. */
export const refusals: Readonly<Record<string, { readonly $ref: string }>> = Object.fromEntries(
  Object.entries({
    400: 'Malformed',
    401: 'BadKey',
    402: 'PaymentRequired',
    403: 'Forbidden',
    409: 'Conflict',
    429: 'Limited',
    503: 'Unavailable',
  }).map(([status, name]) => [status, { $ref: `#/components/responses/${name}` }]),
);

function problem(description: string, schema: string, headers?: object) {
  return {
    description,
    ...(headers && { headers: { ...headers } }),
    content: { 'application/problem+json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  };
}
