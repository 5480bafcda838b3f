import type { Principal } from '@keyfare/core/principal';

/**
 * Proves who calls, and does nothing else. `null`: no credential of this kind was presented. A principal: proven. A
 * thrown `Problem`: one was presented, and it is bad.
 */
export type Resolver<Presented, Proven extends Principal> = (
  presented: Presented,
) => Proven | null | Promise<Proven | null>;
