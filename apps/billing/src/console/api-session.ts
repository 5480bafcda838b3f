import { operatorRoles, operatorScopes } from '@keyfare/gate/operators';
import { z } from 'zod';

/** A session as the API tells it; what else it tells is not asked for here. */
export const apiSession = z.object({
  operator: z.object({
    id: z.string(),
    name: z.string(),
    role: z.enum(Object.keys(operatorRoles) as [keyof typeof operatorRoles]).nullable(),
    scopes: z.array(z.enum(operatorScopes)),
    hasPassword: z.boolean(),
  }),
  idleAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  confirmedUntil: z.iso.datetime().nullable(),
});

/** One that has just begun. The token goes into a cookie, which no other text may get into. */
export const begunSession = z.object({
  session: apiSession,
  token: z.string().regex(/^kfs_\w+$/),
  device: z
    .string()
    .regex(/^[\w-]+$/)
    .nullable(),
});
