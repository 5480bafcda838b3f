import type { GateOptions } from '@keyfare/gate/module';
import {
  gateEnvironment,
  isProduction,
  parseGateEnvironment,
  proxyEnvironment,
  readWatch,
  type WatchSettings,
  watchEnvironment,
  withSecretFiles,
} from '@keyfare/gate/server';
import { z } from 'zod';

/** The environment of this program: the gate's part, and its own. */
export const apiEnvironment = gateEnvironment.extend({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3_000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  // No cookie is looked at here, so pages of any origin may call.
  CORS_ORIGINS: gateEnvironment.shape.CORS_ORIGINS.unwrap().default('*'),
  ...watchEnvironment,
  ...proxyEnvironment,
  BOOTSTRAP_TOKEN: z.string().min(32, 'must have at least 32 characters').optional(),
  CONTACT_EMAIL: z.email('must be an e-mail address').optional(),
});

export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  readonly logLevel: z.infer<typeof apiEnvironment>['LOG_LEVEL'];
  /** Makes the first operator, once. */
  readonly bootstrapToken: string | undefined;
  /** Who answers questions about the service, for those who find it. */
  readonly contactEmail: string | undefined;
  readonly trustedProxies: readonly string[];
  readonly watch: WatchSettings;
  /** As the gate takes it. */
  readonly corsOrigins: NonNullable<GateOptions['corsOrigins']>;
}

/** One token for all was a setting of the release before: who still sets it is told what takes its place. */
const gone = {
  ADMIN_TOKEN: z
    .string()
    .optional()
    .refine((token) => token === undefined, 'is gone: make operators with BOOTSTRAP_TOKEN, see docs/operators.md'),
};

/** Parses the whole environment, the gate's part too, so that all faults are told at once. */
export function readApiConfig(env: NodeJS.ProcessEnv): ApiConfig {
  const given = withSecretFiles(env);
  const { values } = parseGateEnvironment(apiEnvironment.extend(gone), given);
  return {
    host: values.HOST,
    port: values.PORT,
    logLevel: values.LOG_LEVEL,
    bootstrapToken: values.BOOTSTRAP_TOKEN,
    contactEmail: values.CONTACT_EMAIL,
    trustedProxies: values.TRUSTED_PROXIES,
    watch: readWatch(values, { isProduction: isProduction(given) }),
    corsOrigins: values.CORS_ORIGINS ?? 'none',
  };
}
