import { Problem } from '@keyfare/core/problem';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { Throttle } from '../throttle.js';
import {
  issueLink,
  issueSession,
  type Operator,
  type OperatorScope,
  type OperatorSession,
  tokenHash,
} from './operator.js';
import type { Position } from './page.js';
import { deviceOf, isDevice, Passwords } from './password.js';

/** How long sessions are, in seconds. */
export interface SessionLimits {
  /** Without anything done. */
  readonly idleSeconds: number;
  /** In any case. */
  readonly maxSeconds: number;
}

/** Where a session was begun. */
export interface Browser {
  readonly address: string;
  readonly agent: string;
}

/** A session as the list shows it: everything but the token. */
export interface SessionSummary extends Browser {
  readonly id: string;
  readonly operatorId: string;
  readonly operatorName: string;
  readonly scopes: readonly OperatorScope[];
  readonly hasPassword: boolean;
  readonly begunBy: 'password' | 'link';
  readonly createdAt: Date;
  readonly seenAt: Date;
  readonly idleAt: Date;
  readonly expiresAt: Date;
  readonly confirmedUntil: Date | null;
}

/** Who has proven who they are. */
export interface Proven {
  readonly operator: Operator;
  readonly begunBy: 'password' | 'link';
  /** For the browser to show the next time; null where there is no password yet. */
  readonly device: string | null;
}

/** A session that begins, with its token, which is shown once. */
export interface BegunSession {
  readonly session: SessionSummary;
  readonly token: string;
}

interface SessionRow {
  readonly id: string;
  readonly operator_id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly has_password: boolean;
  readonly begun_by: 'password' | 'link';
  readonly address: string;
  readonly agent: string;
  readonly created_at: Date;
  readonly seen_at: Date;
  readonly idle_at: Date;
  readonly expires_at: Date;
  readonly confirmed_until: Date | null;
}

interface PasswordRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly OperatorScope[];
  readonly password_hash: string | null;
}

const columns = `s.id, s.operator_id, o.name, o.scopes, o.password_hash is not null as has_password, s.begun_by, s.address,
  s.agent, s.created_at, s.seen_at, s.idle_at, s.expires_at, s.confirmed_until`;
const from = 'keyfare.session s join keyfare.operator o on o.id = s.operator_id';

/** So long the password is not asked for again. */
const confirmedFor = '10 minutes';
/** So long the token of before is good beside the one that takes its place: for requests that are under way. */
const overlap = '10 seconds';
/** So long a link lets its operator in. */
const linkFor = '15 minutes';
/** An operator's sessions that go on at once; the oldest ends when there are more. */
const maxSessions = 20;

/**
 * Operators who sign in. Many wrong passwords from an address, or for a name, are answered 429 for a while; a browser
 * that has signed in before is not kept out by what strangers try for the name.
 */
@Injectable()
export class SessionService {
  readonly #sql: SqlPool;
  readonly #limits: SessionLimits;
  readonly #passwords = new Passwords();
  readonly #byAddress: Throttle;
  readonly #byName: Throttle;

  constructor(
    sql: SqlPool,
    limits: SessionLimits,
    { nowMs = () => performance.now() }: { readonly nowMs?: () => number } = {},
  ) {
    this.#sql = sql;
    this.#limits = limits;
    this.#byAddress = new Throttle({ burst: 10, perSecond: 0.1, nowMs });
    this.#byName = new Throttle({ burst: 20, perSecond: 0.05, nowMs });
  }

  /**
   * 401 `operator/wrong-password` for a name or password that is wrong, the same for both and after the same time; 429
   * `operator/throttled`; 503 while too many passwords wait to be checked.
   */
  async prove(
    {
      name,
      password,
      device,
    }: { readonly name: string; readonly password: string; readonly device?: string | undefined },
    address: string,
  ): Promise<Proven> {
    const row = await this.#passwordOf('name', name);
    const hash = row?.password_hash ?? null;
    const isKnown = row !== undefined && hash !== null && device !== undefined && isDevice(device, row.id, hash);
    if (!isKnown) this.#hold(this.#byAddress.peek(address), this.#byName.peek(name));
    const isRight = await this.#passwords.isRight(password, hash, isKnown);
    if (!isRight || row === undefined || hash === null) {
      this.#hold(this.#byAddress.take(address), isKnown ? 0 : this.#byName.take(name));
      throw new Problem('operator/wrong-password');
    }
    const { id, scopes } = row;
    return { operator: { id, name, scopes }, begunBy: 'password', device: deviceOf(id, hash) };
  }

  /** 401 `operator/wrong-password` for a link that was used, has run out, or is none; 429 as above. */
  async proveByLink(tx: Sql, link: string, address: string): Promise<Proven> {
    this.#hold(this.#byAddress.peek(address));
    const [row] = await tx.query<PasswordRow>({
      text: `update keyfare.sign_in_link l set used_at = now() from keyfare.operator o
        where l.token_hash = $1 and l.used_at is null and l.expires_at > now()
          and o.id = l.operator_id and o.revoked_at is null
        returning o.id, o.name, o.scopes, o.password_hash`,
      values: [tokenHash(link)],
    });
    if (row === undefined) {
      this.#hold(this.#byAddress.take(address));
      throw new Problem('operator/wrong-password', 'The link was used, has run out, or is none.');
    }
    const { id, name, scopes, password_hash: hash } = row;
    return {
      operator: { id, name, scopes },
      begunBy: 'link',
      device: hash === null ? null : deviceOf(id, hash),
    };
  }

  /** Begins a session. Who has just signed in need not give the password again for a while. */
  async begin(tx: Sql, { operator, begunBy }: Omit<Proven, 'device'>, browser: Browser): Promise<BegunSession> {
    const { id, token, hash } = issueSession();
    await tx.query({
      text: `delete from keyfare.session where operator_id = $1 and (expires_at < now() - interval '30 days' or id in (
          select id from keyfare.session where operator_id = $1 and least(idle_at, expires_at) > now()
          order by created_at desc offset ${maxSessions - 1}))`,
      values: [operator.id],
    });
    await tx.query({
      text: `insert into keyfare.session (id, operator_id, token_hash, begun_by, address, agent, idle_at, expires_at,
          confirmed_until)
        values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => least($7::int, $8::int)),
          now() + make_interval(secs => $8), now() + interval '${confirmedFor}')`,
      values: [
        id,
        operator.id,
        hash,
        begunBy,
        browser.address,
        browser.agent.slice(0, 200),
        this.#limits.idleSeconds,
        this.#limits.maxSeconds,
      ],
    });
    return { session: await this.find(id, tx), token };
  }

  /**
   * The password again, for what is sensitive: a session of the same end with another token takes the place of this
   * one, as OWASP's cheat sheet for sessions asks ("Renew the Session ID After Any Privilege Level Change").
   */
  async confirm(tx: Sql, { session }: { readonly session: OperatorSession }): Promise<BegunSession> {
    const { id, token, hash } = issueSession();
    const [row] = await tx.query<{ id: string }>({
      text: `insert into keyfare.session (id, operator_id, token_hash, begun_by, address, agent, created_at, idle_at,
          expires_at, confirmed_until)
        select $2, operator_id, $3, begun_by, address, agent, created_at,
          least(now() + make_interval(secs => $4), expires_at), expires_at, now() + interval '${confirmedFor}'
        from keyfare.session where id = $1 returning id`,
      values: [session.id, id, hash, this.#limits.idleSeconds],
    });
    if (row === undefined) throw new Problem('session/not-found');
    await this.#end(tx, 'id = $1', [session.id], overlap);
    return { session: await this.find(id, tx), token };
  }

  /** 401 `operator/wrong-password`, 429 `operator/throttled`; for one who has no password 409 `operator/conflict`. */
  async checkPassword(operatorId: string, password: string, address: string): Promise<void> {
    const row = await this.#passwordOf('id', operatorId);
    if (row === undefined || row.password_hash === null) {
      throw new Problem('operator/conflict', 'The operator has no password: set one first.');
    }
    this.#hold(this.#byAddress.peek(address));
    if (await this.#passwords.isRight(password, row.password_hash, true)) return;
    this.#hold(this.#byAddress.take(address));
    throw new Problem('operator/wrong-password');
  }

  async hash(password: string): Promise<string> {
    return this.#passwords.hash(password);
  }

  /** Writes a new password. Every other session of the operator ends. */
  async setPassword(tx: Sql, by: Operator, passwordHash: string): Promise<{ readonly device: string }> {
    await tx.query({
      text: 'update keyfare.operator set password_hash = $2, password_changed_at = now() where id = $1',
      values: [by.id, passwordHash],
    });
    await this.#end(tx, 'operator_id = $1 and id is distinct from $2', [by.id, by.session?.id ?? null]);
    return { device: deviceOf(by.id, passwordHash) };
  }

  /** Whether a password is set. */
  async hasPassword(operatorId: string, sql: Sql = this.#sql): Promise<boolean> {
    const [row] = await sql.query<{ has: boolean }>({
      text: 'select password_hash is not null as has from keyfare.operator where id = $1',
      values: [operatorId],
    });
    return row?.has === true;
  }

  /** A link that lets an operator in once, within a quarter of an hour. Those before it are good no more. */
  async link(tx: Sql, operatorId: string): Promise<{ readonly link: string; readonly expiresAt: Date }> {
    const { token, hash } = issueLink();
    await tx.query({ text: 'delete from keyfare.sign_in_link where operator_id = $1', values: [operatorId] });
    const [row] = await tx.query<{ expires_at: Date }>({
      text: `insert into keyfare.sign_in_link (token_hash, operator_id, expires_at)
        values ($1, $2, now() + interval '${linkFor}') returning expires_at`,
      values: [hash, operatorId],
    });
    if (row === undefined) throw new TypeError('the statement answered no row');
    return { link: token, expiresAt: row.expires_at };
  }

  /** Something was done in it: it is idle later. */
  async touch(id: string): Promise<SessionSummary> {
    await this.#sql.query({
      text: `update keyfare.session
        set seen_at = now(), idle_at = least(now() + make_interval(secs => $2), expires_at)
        where id = $1 and least(idle_at, expires_at) > now()`,
      values: [id, this.#limits.idleSeconds],
    });
    return this.find(id);
  }

  /** Ends a session now. Answers it as it was. */
  async end(tx: Sql, id: string): Promise<SessionSummary> {
    const before = await this.find(id, tx);
    await this.#end(tx, 'id = $1', [id]);
    return before;
  }

  /** 404 `session/not-found`. */
  async find(id: string, sql: Sql = this.#sql): Promise<SessionSummary> {
    const [row] = await sql.query<SessionRow>({ text: `select ${columns} from ${from} where s.id = $1`, values: [id] });
    if (row === undefined) throw new Problem('session/not-found');
    return summaryOf(row);
  }

  /** Those that go on, the newest first; one more than `limit`, where there are so many. */
  async list(
    { operatorId }: { readonly operatorId?: string | undefined },
    after: Position | null,
    limit: number,
  ): Promise<readonly SessionSummary[]> {
    const rows = await this.#sql.query<SessionRow>({
      text: `select ${columns} from ${from}
        where least(s.idle_at, s.expires_at) > now() and o.revoked_at is null and ($1::text is null or s.operator_id = $1)
          and ($2::timestamptz is null or (s.created_at, s.id) < ($2, $3))
        order by s.created_at desc, s.id desc limit $4`,
      values: [operatorId ?? null, after?.[0] ?? null, after?.[1] ?? null, limit + 1],
    });
    return rows.map(summaryOf);
  }

  async #end(tx: Sql, where: string, values: readonly unknown[], after = '0 seconds'): Promise<void> {
    await tx.query({
      text: `update keyfare.session set expires_at = least(expires_at, now() + interval '${after}') where ${where}`,
      values: [...values],
    });
  }

  async #passwordOf(by: 'id' | 'name', value: string): Promise<PasswordRow | undefined> {
    const [row] = await this.#sql.query<PasswordRow>({
      text: `select id, name, scopes, password_hash from keyfare.operator where ${by} = $1 and revoked_at is null`,
      values: [value],
    });
    return row;
  }

  #hold(...waits: readonly number[]): void {
    const waitSeconds = Math.max(...waits);
    if (waitSeconds === 0) return;
    throw new Problem('operator/throttled', undefined, { headers: { 'retry-after': String(waitSeconds) } });
  }
}

function summaryOf(row: SessionRow): SessionSummary {
  return {
    id: row.id,
    operatorId: row.operator_id,
    operatorName: row.name,
    scopes: row.scopes,
    hasPassword: row.has_password,
    begunBy: row.begun_by,
    address: row.address,
    agent: row.agent,
    createdAt: row.created_at,
    seenAt: row.seen_at,
    idleAt: row.idle_at,
    expiresAt: row.expires_at,
    confirmedUntil: row.confirmed_until,
  };
}
