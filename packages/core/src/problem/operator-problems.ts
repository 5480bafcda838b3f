import type { CatalogueRow } from './catalogue-row.js';

/** The part of the catalogue that concerns those who run the service. */
export const operatorProblems = {
  'operator/unauthorized': {
    status: 401,
    title: 'An operator token is required',
    remedy: 'Send the operator token as `Authorization: Bearer <token>`.',
  },
  'operator/forbidden': {
    status: 403,
    title: 'The operator may not do this',
    remedy: 'Use the token of an operator that has the scope named in `detail`.',
  },
  'operator/wrong-password': {
    status: 401,
    title: 'The name or the password is wrong',
    remedy: 'Type both again. Somebody with the scope `write` can make a link that lets you in once.',
  },
  'operator/csrf': {
    status: 403,
    title: 'The change does not come from the page that the session belongs to',
    remedy: 'Send the header `X-CSRF-Token` with the `csrf` of `GET /session`, from the page of the same origin.',
  },
  'operator/confirm': {
    status: 403,
    title: 'The password must be given again for this',
    remedy: 'Send the password to `POST /session/confirm`, then repeat the request within ten minutes.',
  },
  'session/not-found': {
    status: 404,
    title: 'There is no such session',
    remedy: 'Check the id against the list of sessions, or sign in again.',
  },
  'operator/not-found': {
    status: 404,
    title: 'There is no such operator',
    remedy: 'Check the id against the list of operators.',
  },
  'operator/conflict': {
    status: 409,
    title: 'The operator is in another state than the change expects',
    remedy: 'Read the list of operators. Take another name for a new one; one that was revoked stays so.',
  },
  'refund/not-found': {
    status: 404,
    title: 'There is no such refund',
    remedy: 'Check the id of the entry against the list of refunds.',
  },
  'refund/conflict': {
    status: 409,
    title: 'The refund is in another state than the change expects',
    remedy: 'Read the refund. One is proposed for an entry whose payment is final, and approved by another operator.',
  },
  'credential/throttled': {
    status: 429,
    title: 'Too many wrong API keys came from this address',
    remedy: 'Wait as long as `Retry-After` says, then send a key that is right. Right ones are taken meanwhile.',
  },
  'payment/throttled': {
    status: 429,
    title: 'Too many payments from this address were refused',
    remedy: 'Wait as long as `Retry-After` says, then pay from a wallet that has the money. Nothing was charged.',
  },
  'operator/throttled': {
    status: 429,
    title: 'Too many wrong operator tokens or passwords came from this address, or for this name',
    remedy: 'Wait as long as `Retry-After` says, then send one that is right. Right tokens are let in meanwhile.',
  },
  'request/idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key belongs to another request',
    remedy: 'Take a new Idempotency-Key for a new request; repeat one only with the same method, path and body.',
  },
  'request/in-progress': {
    status: 409,
    title: 'The same request is still being worked on',
    remedy: 'Wait as long as `Retry-After` says, then send the same request with the same Idempotency-Key.',
  },
  'request/precondition-failed': {
    status: 412,
    title: 'What is to be changed was changed by somebody else',
    remedy: 'Read it again, decide again, and send the change with the `ETag` of what was read as `If-Match`.',
  },
  'request/precondition-required': {
    status: 428,
    title: 'The change does not say which version it is meant for',
    remedy: 'Read what is to be changed, and send its `ETag` as `If-Match`.',
  },
  'key/conflict': {
    status: 409,
    title: 'The key is in another state than the change expects',
    remedy: 'Read the key again. A key that was revoked or has run out stays so: issue a new one.',
  },
  'payment/not-found': {
    status: 404,
    title: 'There is no such payment',
    remedy: 'Check the id against the list of payments.',
  },
  'entry/not-found': {
    status: 404,
    title: 'There is no such entry',
    remedy:
      'Check the id: it is that of the receipt. An entry that billing has not read yet is none so far; to readmit, it must be one of the list of refused entries.',
  },
  'entry/conflict': {
    status: 409,
    title: 'The entry cannot be readmitted',
    remedy: 'Mend what the answer says, such as terms or a key that is missing, and readmit the entry again.',
  },
  'break/conflict': {
    status: 409,
    title: 'The break is in another state than the change expects',
    remedy: 'Read the break again. One that is resolved or proposed for a resolution is opened or rejected first.',
  },
  'break/not-possible': {
    status: 409,
    title: 'A break of this kind cannot be resolved so',
    remedy: 'Take one of the kinds that `possibleKinds` of the break lists, or say what is wanted by a correction.',
  },
  'month/not-ready': {
    status: 409,
    title: 'The month cannot be locked yet',
    remedy: 'Settle what `missing` lists, then lock the month again.',
  },
  'month/conflict': {
    status: 409,
    title: 'The month is in another state than the change expects',
    remedy: 'Read the list of months. They are locked in their order, and only the last locked one is opened again.',
  },
  'account/closed': {
    status: 403,
    title: 'The account is closed',
    remedy: 'Contact the operator. Retrying does not help.',
  },
} as const satisfies Readonly<Record<`${string}/${string}`, CatalogueRow>>;
