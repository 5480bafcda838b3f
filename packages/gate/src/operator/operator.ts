import { hash, timingSafeEqual } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { checksum, randomText } from '../secret-text.js';

/** What an operator may do: look, change what customers have, and change what money comes of. */
export const operatorScopes = ['read', 'write', 'money'] as const;
export type OperatorScope = (typeof operatorScopes)[number];

/** Somebody, or a program, that runs the service. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
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

const shape = /^kfo_([0-9A-Za-z]{12})_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/;

/** `kfo_<id>_<secret>_<crc>`. The id names the operator in logs and is not secret. */
export function issueToken(): IssuedToken {
  const id = randomText(12);
  const material = `kfo_${id}_${randomText(32)}`;
  const token = `${material}_${checksum(material)}`;
  return { id: `op_${id}`, token, hash: tokenHash(token) };
}

/** Whose token it says it is; null for anything that is none of ours or has a typing error. */
export function operatorIdOf(token: string): string | null {
  const id = shape.exec(token)?.[1];
  if (id === undefined || checksum(token.slice(0, -7)) !== token.slice(-6)) return null;
  return `op_${id}`;
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
