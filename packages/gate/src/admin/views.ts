import type { PlanTerms } from '@keyfare/core/metering';
import { formatMoney } from '@keyfare/core/money';
import { z } from 'zod';
import type { Account, KeySummary } from '../services.js';

export const planSlug = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and -');

/** A plan as operators see it; amounts in dollars, counts as strings. */
export const planView = z
  .object({
    id: z.string(),
    slug: z.string(),
    version: z.int(),
    includedUnits: z.string(),
    overage: z.enum(['reject', 'invoice', 'x402']),
    overagePrice: z.string().nullable(),
    monthlyPrice: z.string(),
  })
  .meta({ id: 'Plan' });

export function viewPlan(plan: PlanTerms): z.infer<typeof planView> {
  return {
    id: plan.planId,
    slug: plan.slug,
    version: plan.version,
    includedUnits: plan.includedUnits.toString(),
    overage: plan.overage,
    overagePrice: plan.overagePrice === null ? null : `$${formatMoney(plan.overagePrice)}`,
    monthlyPrice: `$${formatMoney(plan.monthlyPrice)}`,
  };
}

export const accountView = z
  .object({
    id: z.string(),
    name: z.string(),
    plan: planView,
    status: z.enum(['active', 'suspended', 'closed']),
    createdAt: z.iso.datetime(),
    /** From when on nothing is sold to it. */
    endsAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Account' });

export function viewAccount(account: Account): z.infer<typeof accountView> {
  const { id, name, plan, status, createdAt, endsAt } = account;
  return {
    id,
    name,
    plan: viewPlan(plan),
    status,
    createdAt: createdAt.toISOString(),
    endsAt: endsAt?.toISOString() ?? null,
  };
}

export const keyView = z
  .object({
    id: z.string(),
    account: z.string(),
    environment: z.enum(['live', 'test']),
    name: z.string(),
    scopes: z.array(z.string()),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable(),
    revokedAt: z.iso.datetime().nullable(),
    lastUsedAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When it was last shown and taken, as of a minute ago; null for never.' }),
    secrets: z.array(
      z.object({
        lastFour: z.string(),
        state: z.enum(['pending', 'active', 'retiring', 'expired']),
        expiresAt: z.iso.datetime().nullable(),
      }),
    ),
  })
  .meta({ id: 'Key' });

/** A key with its secret, which is shown once. */
export const issuedKey = z.object({ key: keyView, secret: z.string() }).meta({ id: 'IssuedKey' });

export function viewKey(key: KeySummary): z.infer<typeof keyView> {
  return {
    id: key.id,
    account: key.accountId,
    environment: key.environment,
    name: key.name,
    scopes: [...key.scopes],
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    secrets: key.secrets.map(({ lastFour, state, expiresAt }) => ({
      lastFour,
      state,
      expiresAt: expiresAt?.toISOString() ?? null,
    })),
  };
}
