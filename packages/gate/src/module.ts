import { loadSignatureVerifier } from '@keyfare/core/x402';
import { SqlPool } from '@keyfare/db/sql';
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule, MetadataScanner } from '@nestjs/core';
import { AgreementService } from './agreements.service.js';
import { AnswerService } from './answer/answer.service.js';
import { asyncConfig, configProvider, type GateAsyncOptions, type GateScope } from './async-options.js';
import { GateConfig } from './config.js';
import { ApiKeyStrategy } from './credential/api-key.strategy.js';
import { GatePassport } from './credential/gate-passport.js';
import { X402Strategy } from './credential/x402.strategy.js';
import { AccessGuard } from './exchange/access.guard.js';
import { DryRuns } from './exchange/dry-run.js';
import { FreeEntry } from './exchange/free-entry.js';
import { FreePosts } from './exchange/free-posts.js';
import { Holds } from './exchange/holds.js';
import { ExchangeHooks } from './exchange/hooks.js';
import { KeyPosts } from './exchange/key-posts.js';
import { LaterEntries } from './exchange/later.js';
import { Offers } from './exchange/offers.js';
import { PaidEntry } from './exchange/paid-entry.js';
import { PaidPosts } from './exchange/paid-posts.js';
import { PostOffice } from './exchange/post.js';
import { Preflight } from './exchange/preflight.js';
import { PricedRoutes } from './exchange/priced-routes.js';
import { Quoting } from './exchange/quoting.js';
import { ExchangeReceipts } from './exchange/receipts.js';
import { WayOut } from './exchange/way-out.js';
import { FreeService } from './free/free.service.js';
import { KeyResolver } from './key/key.resolver.js';
import { KeyService } from './key/key.service.js';
import { KeyUses } from './key/key-uses.js';
import { ListPool } from './list-pool.js';
import { MeterService } from './meter/meter.service.js';
import { GateMetrics } from './metrics.js';
import { Networks, openNetworks } from './networks.js';
import { openPool } from './open-pool.js';
import type { GateOptions } from './options.js';
import { FreshPayments } from './payment/fresh-payments.js';
import { PaymentLedgerService } from './payment/ledger.js';
import { PaymentResolver } from './payment/payment.resolver.js';
import { PaymentService } from './payment/payment.service.js';
import { PaymentCourse } from './payment-course.js';
import { PaymentHistory } from './payment-history.js';
import { PriceService } from './price/price.service.js';
import { ReceiptService } from './receipt/receipt.service.js';
import { ReceiptPages } from './receipt/receipt-pages.js';
import { GateStatus } from './replica/gate-status.js';
import { GateHealth } from './replica/health.js';
import { GateLifecycle } from './replica/lifecycle.js';
import { RailMetrics } from './replica/rail-metrics.js';
import { RailWatch } from './replica/rail-watch.js';
import { ReplicaService } from './replica/replica.service.js';
import { ReplicaId } from './replica-id.js';
import { RouteDescriptions } from './route-descriptions.js';
import { gateRole } from './schema.js';
import { ProblemFilter } from './server/problem.filter.js';
import { ProblemPages } from './server/problem-pages.js';
import { RouteAudit } from './server/route-audit.js';
import { RouteTable } from './server/route-table.js';
import { RefundService } from './settlement/refund.service.js';
import { SettlementService } from './settlement/settlement.service.js';
import { PaymentLedger, Settlements } from './settling.js';
import { SoldRoutes } from './sold-routes.js';
import { Strangers } from './strangers.js';
import { TariffAudit } from './tariff-audit.js';
import { AccountService } from './terms/account.service.js';
import { PlanService } from './terms/plan.service.js';
import { TermsService } from './terms/terms.service.js';
import { signatureVerifier } from './tokens.js';
import { Tracing } from './tracing.js';

/** What the gate is made of, from the bottom up. */
const parts: Provider[] = [
  { provide: SqlPool, inject: [GateConfig], useFactory: openPool },
  {
    provide: ListPool,
    inject: [GateConfig, SqlPool],
    useFactory: ({ ownConnections, isPooled }: GateConfig) =>
      new ListPool({
        ...ownConnections,
        isPooled,
        applicationName: 'keyfare-lists',
        role: gateRole,
        poolSize: 2,
        statementTimeoutMs: 5_000,
      }),
  },
  {
    provide: Networks,
    inject: [GateConfig, GateMetrics, Tracing],
    useFactory: (config: GateConfig, metrics: GateMetrics, tracing: Tracing) =>
      openNetworks(config, (network) => metrics.rpc.observer(network, tracing)),
  },
  { provide: signatureVerifier, useFactory: () => loadSignatureVerifier() },
  {
    provide: ApiKeyStrategy,
    inject: [KeyResolver],
    useFactory: (resolver: KeyResolver) => new ApiKeyStrategy((key) => resolver.resolve(key)),
  },
  {
    provide: X402Strategy,
    inject: [PaymentResolver],
    useFactory: (resolver: PaymentResolver) => new X402Strategy((header) => resolver.resolve(header)),
  },
  GatePassport,
  ReplicaId,
  GateMetrics,
  Tracing,
  MetadataScanner,
  KeyResolver,
  KeyUses,
  KeyService,
  PlanService,
  AccountService,
  TermsService,
  MeterService,
  FreeService,
  FreshPayments,
  { provide: PaymentLedger, useClass: PaymentLedgerService },
  SettlementService,
  RefundService,
  { provide: Settlements, useExisting: SettlementService },
  PaymentResolver,
  PaymentService,
  PaymentHistory,
  PaymentCourse,
  LaterEntries,
  ReceiptService,
  PostOffice,
  ExchangeReceipts,
  Offers,
  Holds,
  AnswerService,
  KeyPosts,
  PaidPosts,
  FreePosts,
  Strangers,
  PaidEntry,
  FreeEntry,
  PricedRoutes,
  SoldRoutes,
  RouteDescriptions,
  DryRuns,
  Preflight,
  PriceService,
  WayOut,
  ReplicaService,
  AgreementService,
  RailWatch,
  GateHealth,
  GateStatus,
  RailMetrics,
  RouteTable,
  Quoting,
  RouteAudit,
  TariffAudit,
  ExchangeHooks,
  GateLifecycle,
  ReceiptPages,
  ProblemPages,
];

/** The hooks of the framework; those of Fastify, the way out among them, are in `ExchangeHooks` and `WayOut`. */
const hooks: Provider[] = [
  { provide: APP_GUARD, useClass: AccessGuard },
  { provide: APP_FILTER, useClass: ProblemFilter },
];

/** What other modules of a host may ask the gate for. */
const services = [
  GateConfig,
  ListPool,
  GateMetrics,
  GateHealth,
  GateStatus,
  RouteAudit,
  SoldRoutes,
  RouteDescriptions,
  Preflight,
  PriceService,
  AgreementService,
  AccountService,
  TermsService,
  KeyService,
  PlanService,
  MeterService,
  PaymentService,
  PaymentHistory,
  PaymentCourse,
  RefundService,
  ReceiptService,
  ApiKeyStrategy,
  X402Strategy,
  GatePassport,
];

/**
 * One door for API keys and x402 payments. Import it once in the root module of a Nest application on Fastify, and
 * declare every route `@Priced(…)` or `@Free()`. Its guard and its filter are the whole application's.
 *
 * @example
 * imports: [GateModule.forRoot({ network: 'base-sepolia', payTo: '0x…' })]
 *
 * @example
 * imports: [
 *   GateModule.forRootAsync({
 *     imports: [ConfigModule],
 *     inject: [ConfigService],
 *     useFactory: (config: ConfigService) => ({ env: false, ...config.getOrThrow('gate') }),
 *   }),
 * ]
 */
@Module({})
export class GateModule {
  /** Throws a `ConfigurationError` that names every fault of options and environment. */
  static forRoot({ isGlobal, ...options }: GateOptions & GateScope = {}): DynamicModule {
    return gateModule({ isGlobal, providers: [configProvider(options)] });
  }

  /**
   * The options from a factory, a class or another provider. Faults stop the start of the application, as `forRoot`'s
   * do.
   */
  static forRootAsync({ isGlobal, ...source }: GateAsyncOptions): DynamicModule {
    return gateModule({ isGlobal, imports: source.imports ?? [], providers: asyncConfig(source) });
  }
}

interface Definition extends GateScope {
  readonly imports?: NonNullable<DynamicModule['imports']>;
  readonly providers: Provider[];
}

function gateModule({ isGlobal = true, imports = [], providers }: Definition): DynamicModule {
  return {
    module: GateModule,
    global: isGlobal,
    imports: [DiscoveryModule, ...imports],
    providers: [...providers, ...parts, ...hooks],
    exports: services,
  };
}

export type { HostPool } from '@keyfare/db/host-pool';
export {
  type GateAsyncOptions,
  type GateOptionsFactory,
  type GateOverride,
  type GateScope,
  gateOverride,
} from './async-options.js';
export { ConfigurationError } from './config.js';
export type { GateOptions, NetworkOptions, PepperOptions, SettingOptions } from './options.js';
