import { randomBytes } from 'node:crypto';
import { type Overage, periodOf } from '@keyfare/core/metering';
import { parsePrice } from '@keyfare/core/money';
import {
  AgreementService,
  GateConfig,
  KeyService,
  MeterService,
  PlanService,
  TermsService,
} from '@keyfare/gate/services';
import type { INestApplication, Type } from '@nestjs/common';

/** The plan and the key of a new account. */
export interface KeyOptions {
  /** Units of a month that the plan includes. @default 1_000 */
  readonly includedUnits?: number | bigint;
  /** What becomes of calls beyond them. @default 'reject' */
  readonly overage?: Overage;
  /** For each unit beyond them, such as `$0.002`. @default '$0.001', and none for a plan that rejects */
  readonly overagePrice?: string;
  /** @default '$0' */
  readonly monthlyPrice?: string;
  /** Skus that the key may buy; none: all. @default [] */
  readonly scopes?: readonly string[];
  /** When the key runs out, by the clock of the test. @default never */
  readonly expiresAt?: Date;
}

/** A key that was issued. */
export interface IssuedTestKey {
  readonly id: string;
  readonly accountId: string;
  /** The whole key. */
  readonly secret: string;
  /** `Authorization: Bearer …` */
  readonly headers: Readonly<Record<string, string>>;
  /** Sends the request with the key. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

interface Listening {
  readonly app: INestApplication;
}

/** Opens an account on a plan of its own and issues a key for it, with the services of the application. */
export async function issueKey({ app }: Listening, options: KeyOptions): Promise<IssuedTestKey> {
  const { includedUnits = 1_000, overage = 'reject', monthlyPrice = '$0', scopes = [], expiresAt = null } = options;
  const overagePrice = options.overagePrice ?? (overage === 'reject' ? null : '$0.001');
  const slug = `test-${randomBytes(6).toString('hex')}`;
  await service(app, PlanService).create({
    slug,
    includedUnits: BigInt(includedUnits),
    overage,
    overagePrice: overagePrice === null ? null : parsePrice(overagePrice),
    monthlyPrice: parsePrice(monthlyPrice),
  });
  const { id: accountId } = await service(app, AgreementService).open({ name: 'Test', plan: slug });
  const { key, secret } = await service(app, KeyService).issue(accountId, { name: 'test', scopes, expiresAt });
  const headers = { authorization: `Bearer ${secret}` };
  return {
    id: key.id,
    accountId,
    secret,
    headers,
    fetch: async (url, init = {}) => {
      const all = new Headers(init.headers);
      all.set('authorization', headers.authorization);
      return fetch(url, { ...init, headers: all });
    },
  };
}

/** Units left of the account's month at the time of the application's clock; null where there is no limit. */
export async function unitsLeft(app: INestApplication, { accountId }: IssuedTestKey): Promise<bigint | null> {
  const terms = await service(app, TermsService).of(accountId);
  const { start } = periodOf(terms.plan, service(app, GateConfig).clock());
  const { limitUnits, used } = await service(app, MeterService).summary(terms, start);
  return limitUnits === null ? null : limitUnits - used;
}

/** Throws in words when the application has another copy of the gate than the kit, whose classes are not these. */
function service<T>(app: INestApplication, type: Type<T> | (abstract new (...args: never[]) => T)): T {
  try {
    return app.get(type, { strict: false });
  } catch (cause) {
    const words = 'the application has no GateModule, or another copy of @keyfare/gate than @keyfare/testing';
    throw new Error(`${words}: see npm ls @keyfare/gate`, { cause });
  }
}
