import { decodeBase64Url, decodeUtf8 } from '@keyfare/core/encoding';
import { type EntryKind, verifyEntry } from '@keyfare/core/log';
import type { Jwks } from '@keyfare/core/receipt';

/** A signed document as it was given, before anything is believed. */
export interface Shown {
  readonly jws: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

const kinds: Readonly<Record<string, EntryKind>> = {
  'keyfare-receipt+jws': 'call',
  'keyfare-terms+jws': 'terms',
  'keyfare-unpaid+jws': 'unpaid',
  'keyfare-settlement+jws': 'settlement',
  'keyfare-refund-due+jws': 'refund-due',
  'keyfare-reversed+jws': 'reversed',
};

const kindNames: Readonly<Record<EntryKind, string>> = {
  call: 'Receipt of a call',
  terms: 'Terms of an account',
  unpaid: 'Call that was never paid',
  settlement: 'Settlement of a deferred call',
  'refund-due': 'Money that is owed back',
  reversed: 'Settlement that the chain dropped',
};

const kindOf = ({ header }: Shown): EntryKind | undefined => kinds[String(header['typ'])];

export const kindName = (shown: Shown): string => {
  const kind = kindOf(shown);
  return kind === undefined ? 'A document of a kind that is not ours' : kindNames[kind];
};

/** A compact JWS as people paste it: with its header's name before it, in lines, in quotes. */
export const clean = (text: string): string =>
  text.replace(/^\s*(?:payment-receipt|receipt|x-[\w-]*receipt)\s*:/i, '').replaceAll(/["'\s]/g, '');

export const isJws = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
export const isId = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

function readPart(part: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(decodeUtf8(decodeBase64Url(part, 'receipt/malformed'), 'receipt/malformed'));
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new SyntaxError('no object');
  return value as Readonly<Record<string, unknown>>;
}

/** What is written in a document; null where it cannot be read as one. */
export function read(jws: string): Shown | null {
  try {
    const [header = '', payload = ''] = jws.split('.');
    return { jws, header: readPart(header), payload: readPart(payload) };
  } catch {
    // Base64, UTF-8 or JSON that is none: the text is no document.
    return null;
  }
}

export type Verdict =
  | { readonly ok: true; readonly kid: string }
  | { readonly ok: false; readonly reason: string; readonly detail: string };

/** Whether one of the keys signed it. Done here, in the browser. */
export function check(shown: Shown, keys: Jwks): Verdict {
  const kind = kindOf(shown);
  if (kind === undefined) {
    return { ok: false, reason: 'unknown-kind', detail: 'Its header names no kind of document that is signed here.' };
  }
  const verdict = verifyEntry(shown.jws, { kind, keys });
  return verdict.ok ? { ok: true, kid: verdict.kid } : verdict;
}
