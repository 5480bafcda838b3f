import type { z } from 'zod';
import { canonicalJson, decodeBase64Url, decodeUtf8, encodeBase64Url, utf8 } from '../encoding/index.js';
import { Problem, type ProblemCode } from '../problem/index.js';
import { kidShape } from './jwks.js';

/** The media type that a signed document states of itself, so that one kind never passes for another. */
export type DocumentType =
  | 'keyfare-receipt+jws'
  | 'keyfare-terms+jws'
  | 'keyfare-unpaid+jws'
  | 'keyfare-settlement+jws'
  | 'keyfare-refund-due+jws'
  | 'keyfare-reversed+jws';

/** The protected header of our signed documents, all of it. */
export interface ProtectedHeader {
  readonly alg: 'EdDSA';
  /** The DID URL of the key. */
  readonly kid: string;
  readonly typ: DocumentType;
}

/** Signs with one Ed25519 key (RFC 8032), which it keeps to itself. */
export interface ReceiptSigner {
  /** The DID URL of the key, as the key set shows it. */
  readonly kid: string;
  /** The 64-byte signature of `bytes`. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** A signed document, taken apart. */
export interface Envelope<Payload> {
  readonly header: ProtectedHeader;
  readonly payload: Payload;
  /** The text that was signed. */
  readonly signingInput: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** One kind of document: its type, the schema of its payload, and the code that refuses what is malformed. */
export interface DocumentKind<Payload> {
  readonly typ: DocumentType;
  readonly schema: z.ZodType<Payload>;
  readonly code: ProblemCode;
}

/** The longest signed document that is read, in characters. */
export const maxDocumentLength = 8192;

// A dot and 86 characters of base64url.
const signatureLength = 87;

const compact = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/;

/**
 * The text to sign: header and payload in canonical JSON, base64url, joined by a dot (RFC 7515, section 5.1). The
 * payload is not checked against a schema: `signDocument` does that. A value without canonical form: TypeError.
 */
export function formatSigningInput({ kid, typ }: Omit<ProtectedHeader, 'alg'>, payload: object): string {
  return `${encodeHeader(kid, typ)}.${encodeBase64Url(utf8(canonicalJson(payload)))}`;
}

/** The compact JWS of a signing input and its 64-byte signature (RFC 7515, section 7.1). Another length: RangeError. */
export function assembleReceipt(signingInput: string, signature: Uint8Array): string {
  if (signature.length !== 64) throw new RangeError('An Ed25519 signature has 64 bytes.');
  return `${signingInput}.${encodeBase64Url(signature)}`;
}

/**
 * Signs a document that its own parser will take: a payload outside the schema is a bug of the caller and is never
 * signed (TypeError). Deterministic, for Ed25519 is.
 */
export function signDocument<Payload extends object>(
  { typ, schema }: DocumentKind<Payload>,
  payload: Payload,
  signer: ReceiptSigner,
): string {
  const checked = schema.safeParse(payload);
  if (!checked.success) {
    throw new TypeError(`A ${typ} payload is outside its schema: ${formatIssues(checked.error)}`);
  }
  const input = formatSigningInput({ kid: signer.kid, typ }, checked.data);
  if (input.length + signatureLength > maxDocumentLength) {
    throw new TypeError(`A ${typ} document would be too long to be read.`);
  }
  return assembleReceipt(input, signer.sign(utf8(input)));
}

/**
 * Takes a compact JWS apart without checking its signature. One document has one spelling: base64url and JSON must be
 * canonical, the header must be exactly ours, and nothing may come before or after, for else a second text with the
 * same signature would pass as another document. Problem `kind.code`.
 */
export function parseDocument<Payload>(jws: string, { typ, schema, code }: DocumentKind<Payload>): Envelope<Payload> {
  const parts = jws.length <= maxDocumentLength ? compact.exec(jws) : null;
  if (parts === null) throw new Problem(code, `A compact JWS of at most ${maxDocumentLength} characters is expected.`);
  const [, head = '', body = '', tail = ''] = parts;
  const header = readHeader(head, { typ, code });
  const text = decodeUtf8(decodeBase64Url(body, code), code);
  const checked = schema.safeParse(parseJson(text, code));
  if (!checked.success) throw new Problem(code, `The payload is not that of ${typ}: ${formatIssues(checked.error)}`);
  if (!isCanonical(text, checked.data)) throw new Problem(code, 'The payload is not canonical JSON.');
  return { header, payload: checked.data, signingInput: `${head}.${body}`, signature: decodeBase64Url(tail, code) };
}

// A server signs under one key at a time: its header is the same text for each kind of document.
const headers = new Map<string, string>();
const manyHeaders = 16;

function encodeHeader(kid: string, typ: DocumentType): string {
  const name = `${typ} ${kid}`;
  const known = headers.get(name);
  if (known !== undefined) return known;
  if (!kidShape.test(kid)) throw new TypeError('A kid must be a DID URL with a fragment.');
  const text = encodeBase64Url(utf8(canonicalJson({ alg: 'EdDSA', kid, typ })));
  if (headers.size >= manyHeaders) headers.clear();
  headers.set(name, text);
  return text;
}

// As few as the keys and the kinds of documents: most documents have the header of the one before.
const readHeaders = new Map<string, ProtectedHeader>();

function readHeader(head: string, expected: { typ: DocumentType; code: ProblemCode }): ProtectedHeader {
  const known = readHeaders.get(head);
  if (known?.typ === expected.typ) return known;
  const header = parseHeader(decodeUtf8(decodeBase64Url(head, expected.code), expected.code), expected);
  if (readHeaders.size >= manyHeaders) readHeaders.clear();
  readHeaders.set(head, header);
  return header;
}

function parseHeader(text: string, { typ, code }: { typ: DocumentType; code: ProblemCode }): ProtectedHeader {
  const value = parseJson(text, code);
  const kid = typeof value === 'object' && value !== null && 'kid' in value ? value.kid : undefined;
  // Comparing the whole text leaves no room for another alg, another typ, crit, jwk or a duplicate member.
  if (typeof kid !== 'string' || !kidShape.test(kid) || text !== canonicalJson({ alg: 'EdDSA', kid, typ })) {
    throw new Problem(code, `The protected header must be exactly alg EdDSA, a DID URL as kid, and typ ${typ}.`);
  }
  return { alg: 'EdDSA', kid, typ };
}

function parseJson(text: string, code: ProblemCode): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(code, 'The document is not JSON.');
  }
}

function isCanonical(text: string, value: unknown): boolean {
  try {
    return canonicalJson(value) === text;
  } catch {
    // A lone surrogate, which JSON can escape and UTF-8 cannot carry.
    return false;
  }
}

// An issue may quote the names that the sender chose, so what is shown of them is bounded.
function formatIssues(error: z.ZodError): string {
  const issues = error.issues.map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`);
  return issues.join('; ').slice(0, 300);
}
