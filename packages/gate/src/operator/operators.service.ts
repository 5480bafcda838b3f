import { Problem } from '@keyfare/core/problem';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import {
  bootstrapId,
  issueToken,
  type Operator,
  type OperatorScope,
  type OperatorSummary,
  tokenHash,
} from './operator.js';
import type { Position } from './page.js';

export interface NewOperator {
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly expiresAt: Date;
}

interface OperatorRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly last_four: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
}

const columns = 'id, name, scopes, last_four, created_at, expires_at, revoked_at';

/** Those who run the service. */
@Injectable()
export class OperatorService {
  constructor(private readonly sql: SqlPool) {}

  /**
   * A new operator and its token, which is shown once. Nobody gives a scope that they do not have: 403
   * `operator/forbidden`. 409 `operator/conflict` for a name that is taken, for ever: the audit log names operators by
   * it.
   */
  async create(
    tx: Sql,
    by: Operator & { readonly token: string },
    operator: NewOperator,
  ): Promise<{ operator: OperatorSummary; token: string }> {
    mayGive(by, operator.scopes);
    const { id, token, hash } = issueToken();
    if (by.id.startsWith(bootstrapId)) await this.#useBootstrap(tx, by.token, id);
    try {
      const [row] = await tx.query<OperatorRow>({
        text: `insert into keyfare.operator (id, name, scopes, token_hash, last_four, created_at, expires_at)
          values ($1, $2, $3, $4, $5, date_trunc('milliseconds', clock_timestamp()), $6) returning ${columns}`,
        values: [id, operator.name, [...new Set(operator.scopes)], hash, token.slice(-4), operator.expiresAt],
      });
      return { operator: summaryOf(row), token };
    } catch (error) {
      if (errorCode(error) !== '23505') throw error;
      throw new Problem('operator/conflict', 'An operator of this name exists, or existed.', { cause: error });
    }
  }

  /**
   * Ends an operator's token for good. 404 `operator/not-found`; 409 where it was ended before; 403 for one of more
   * scopes.
   */
  async revoke(tx: Sql, by: Operator, id: string): Promise<{ before: OperatorSummary; after: OperatorSummary }> {
    const before = await this.find(id, tx, 'for update');
    mayGive(by, before.scopes);
    if (before.revokedAt !== null) throw new Problem('operator/conflict', 'The operator was revoked before.');
    const [row] = await tx.query<OperatorRow>({
      text: `update keyfare.operator set revoked_at = date_trunc('milliseconds', clock_timestamp())
        where id = $1 returning ${columns}`,
      values: [id],
    });
    return { before, after: summaryOf(row) };
  }

  /** Who a link is made for, `self` too: 404 `operator/not-found`, 403 for one of more scopes, 409 for one revoked. */
  async forLink(tx: Sql, by: Operator, id: string): Promise<OperatorSummary> {
    const operator = await this.find(id === 'self' ? by.id : id, tx, 'for update');
    mayGive(by, operator.scopes);
    if (operator.revokedAt !== null) throw new Problem('operator/conflict', 'The operator was revoked.');
    return operator;
  }

  /** 404 `operator/not-found`. */
  async find(id: string, sql: Sql = this.sql, lock: '' | 'for update' = ''): Promise<OperatorSummary> {
    const [row] = await sql.query<OperatorRow>({
      text: `select ${columns} from keyfare.operator where id = $1 ${lock}`,
      values: [id],
    });
    if (row === undefined) throw new Problem('operator/not-found');
    return summaryOf(row);
  }

  /** The newest first; one more than `limit`, where there are so many. */
  async list(after: Position | null, limit: number): Promise<readonly OperatorSummary[]> {
    const rows = await this.sql.query<OperatorRow>({
      text: `select ${columns} from keyfare.operator
        where $1::timestamptz is null or (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3`,
      values: [after?.[0] ?? null, after?.[1] ?? null, limit + 1],
    });
    return rows.map(summaryOf);
  }

  /** Once for each token: the key of the table takes one of two that come together. */
  async #useBootstrap(tx: Sql, token: string, operatorId: string): Promise<void> {
    const used = await tx.query({
      text: `insert into keyfare.bootstrap (token_hash, operator_id, used_at) values ($1, $2, now())
        on conflict do nothing returning 1`,
      values: [tokenHash(token), operatorId],
    });
    if (used.length === 0) {
      throw new Problem('operator/unauthorized', 'The bootstrap token was used: it lets somebody in once.', {
        headers: { 'www-authenticate': 'Bearer realm="keyfare-operator"' },
      });
    }
  }
}

function mayGive(by: Operator, scopes: readonly OperatorScope[]): void {
  const missing = scopes.filter((scope) => !by.scopes.includes(scope));
  if (missing.length === 0) return;
  throw new Problem('operator/forbidden', `The operator ${by.id} does not have the scope ${missing.join(', ')}.`);
}

function summaryOf(row: OperatorRow | undefined): OperatorSummary {
  if (row === undefined) throw new TypeError('the statement answered no row');
  const { id, name, scopes } = row;
  return {
    id,
    name,
    scopes,
    lastFour: row.last_four,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}
