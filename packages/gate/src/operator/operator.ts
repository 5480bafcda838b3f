import { hash, timingSafeEqual } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { checksum, randomText } from '../secret-text.js';

/** What an operator may do: look, change what customers have, and change what money comes of. */
export const operatorScopes = ['read', 'write', 'money'] as const;
export type OperatorScope = (typeof operatorScopes)[number];

/** The usual bundles of scopes, by what people are called who have them. */
export const operatorRoles = {
  viewer: ['read'],
  finance: ['read', 'money'],
  operator: ['read', 'write'],
  admin: ['read', 'write', 'money'],
} as const satisfies Record<string, readonly OperatorScope[]>;
export type OperatorRole = keyof typeof operatorRoles;

/** Null for scopes that are no role's. */
export function roleOf(scopes: readonly OperatorScope[]): OperatorRole | null {
  const found = Object.entries(operatorRoles).find(
    ([, of]) => of.length === scopes.length && of.every((scope) => scopes.includes(scope)),
  );
  return (found?.[0] as OperatorRole | undefined) ?? null;
}

/** Somebody, or a program, that runs the service. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  /** Where a person has signed in: not with the token of a program. */
  readonly session?: OperatorSession | undefined;
}

export interface OperatorSession {
  readonly id: string;
  /** Whether the password was given just now: sensitive acts ask for it again. */
  readonly isConfirmed: boolean;
}

/** An operator as the list shows it: everything but the token. */
export interface OperatorSummary extends Operator {
  readonly lastFour: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

/** 403 for an operator who has none of the scopes, one of which is asked for. */
export function lacking(id: string, ...scopes: readonly OperatorScope[]): Problem {
  return new Problem('operator/forbidden', `The operator ${id} does not have the scope ${scopes.join(' or ')}.`);
}

/** A fresh operator's id and its token, which is shown once. */
export interface IssuedToken {
  readonly id: string;
  readonly token: string;
  /** SHA-256: the token has 190 random bits, so a slow hash would gain nothing. */
  readonly hash: Buffer;
}

const shape = /^kf([os])_([0-9A-Za-z]{12})_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/;

/** `kfo_<id>_<secret>_<crc>`. The id names the operator in logs and is not secret. */
export function issueToken(): IssuedToken {
  return issue('kfo', 'op');
}

/** The same of a session: `kfs_<id>_<secret>_<crc>`. */
export function issueSession(): IssuedToken {
  return issue('kfs', 'ses');
}

/** A token that lets an operator in once: 190 random bits. */
export function issueLink(): Pick<IssuedToken, 'token' | 'hash'> {
  const token = `kfl_${randomText(32)}`;
  return { token, hash: tokenHash(token) };
}

function issue(prefix: string, idPrefix: string): IssuedToken {
  const id = randomText(12);
  const material = `${prefix}_${id}_${randomText(32)}`;
  const token = `${material}_${checksum(material)}`;
  return { id: `${idPrefix}_${id}`, token, hash: tokenHash(token) };
}

/** The operator or the session whose token it says it is; null for what is none of ours or has a typing error. */
export function holderIdOf(token: string): string | null {
  const [, kind, id] = shape.exec(token) ?? [];
  if (id === undefined || checksum(token.slice(0, -7)) !== token.slice(-6)) return null;
  return `${kind === 's' ? 'ses' : 'op'}_${id}`;
}

export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

/** Digests have one length, so the comparison tells nothing, not even how long the text is. */
export function sameText(presented: string, expected: string): boolean {
  return timingSafeEqual(tokenHash(presented), tokenHash(expected));
}

/** How the ids of those begin who show a bootstrap token. */
export const bootstrapId = 'bootstrap-';
