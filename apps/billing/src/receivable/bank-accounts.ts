import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock } from '../tokens.js';
import type { Mapping } from './mapping.js';

/** A bank account of ours. */
export interface BankAccount {
  readonly id: string;
  readonly name: string;
  readonly iban: string | null;
  readonly currency: string;
  readonly mapping: Mapping;
  readonly createdAt: Date;
}

type Given = Pick<BankAccount, 'name' | 'iban' | 'currency' | 'mapping'>;

const columns = 'id, name, iban, currency, mapping, created_at as "createdAt"';
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const uniqueViolation = '23505';

/** The bank accounts of ours, each with the mapping by which its statements are read. */
@Injectable()
export class BankAccounts {
  constructor(
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** In the order in which they were made; one more than `limit`, where there are so many. */
  async list({
    after,
    limit,
  }: {
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly BankAccount[]> {
    const known = after === null || (await this.#read(this.sql, after)) !== undefined;
    if (!known) throw new Problem('request/invalid', 'The cursor is none that this list gave.');
    return this.sql.query<BankAccount>({
      text: `select ${columns} from billing.bank_account
        where ($1::uuid is null or (created_at, id) > (select created_at, id from billing.bank_account where id = $1))
        order by created_at, id limit $2`,
      values: [after, limit + 1],
    });
  }

  /** 404 `bank-account/not-found`. `lock`: nobody else changes it until the caller's transaction ends. */
  async find(id: string, sql: Sql = this.sql, lock = false): Promise<BankAccount> {
    const account = await this.#read(sql, id, lock);
    if (account === undefined) throw new Problem('bank-account/not-found');
    return account;
  }

  /** 409 `bank-account/conflict`, 422 `bank-account/unsupported-currency`. */
  async add(tx: Sql, { name, iban, currency, mapping }: Given): Promise<BankAccount> {
    if (currency !== 'USD') throw new Problem('bank-account/unsupported-currency');
    const id = randomUUID();
    await write(async () =>
      tx.query({
        text: `insert into billing.bank_account (id, name, iban, currency, mapping, created_at)
          values ($1, $2, $3, $4, $5, $6)`,
        values: [id, name, iban, currency, JSON.stringify(mapping), this.now()],
      }),
    );
    return this.find(id, tx);
  }

  /** Only what is given changes. 409 `bank-account/conflict`. */
  async change(tx: Sql, before: BankAccount, given: Partial<Given>): Promise<BankAccount> {
    const { name, iban, mapping } = { ...before, ...given };
    await write(async () =>
      tx.query({
        text: 'update billing.bank_account set name = $2, iban = $3, mapping = $4 where id = $1',
        values: [before.id, name, iban, JSON.stringify(mapping)],
      }),
    );
    return this.find(before.id, tx);
  }

  async #read(sql: Sql, id: string, lock = false): Promise<BankAccount | undefined> {
    if (!uuid.test(id)) return undefined;
    const [row] = await sql.query<BankAccount>({
      text: `select ${columns} from billing.bank_account where id = $1${lock ? ' for update' : ''}`,
      values: [id],
    });
    return row;
  }
}

async function write(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (errorCode(error) === uniqueViolation) throw new Problem('bank-account/conflict', undefined, { cause: error });
    throw error;
  }
}
