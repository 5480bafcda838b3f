import { z } from 'zod';
import { operatorRoles, operatorScopes, roleOf, type SessionSummary } from '../operators.js';

const roles = z.enum(Object.keys(operatorRoles) as [keyof typeof operatorRoles]);

export const sessionView = z
  .object({
    id: z.string(),
    operator: z.object({
      id: z.string(),
      name: z.string(),
      role: roles.nullable(),
      scopes: z.array(z.enum(operatorScopes)),
      hasPassword: z.boolean(),
    }),
    begunBy: z.enum(['password', 'link']),
    address: z.string(),
    agent: z.string(),
    createdAt: z.iso.datetime(),
    seenAt: z.iso.datetime(),
    idleAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    confirmedUntil: z.iso.datetime().nullable(),
  })
  .meta({ id: 'OperatorSession' });

export const begunSession = z
  .object({ session: sessionView, token: z.string(), device: z.string().nullable() })
  .meta({ id: 'BegunSession', description: 'The token and the device are shown here and never again.' });

export function viewSession(session: SessionSummary): z.infer<typeof sessionView> {
  const { id, begunBy, address, agent, hasPassword } = session;
  return {
    id,
    operator: {
      id: session.operatorId,
      name: session.operatorName,
      role: roleOf(session.scopes),
      scopes: [...session.scopes],
      hasPassword,
    },
    begunBy,
    address,
    agent,
    createdAt: session.createdAt.toISOString(),
    seenAt: session.seenAt.toISOString(),
    idleAt: session.idleAt.toISOString(),
    expiresAt: session.expiresAt.toISOString(),
    confirmedUntil: session.confirmedUntil?.toISOString() ?? null,
  };
}
