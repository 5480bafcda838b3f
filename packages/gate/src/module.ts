import { loadSignatureVerifier } from '@keyfare/core/x402';
import { SqlPool } from '@keyfare/db/sql';
import { type Chain, openChain } from '@keyfare/evm/chain';
import { createSettlerWallet } from '@keyfare/evm/settler';
import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, DiscoveryModule, MetadataScanner } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { AgreementService } from './agreements.service.js';
import { GateConfig, type GateOptions, readGateConfig } from './config.js';
import { ApiKeyStrategy } from './credential/api-key.strategy.js';
import { X402Strategy } from './credential/x402.strategy.js';
import { gateDataSource, migrateGate } from './database.js';
import { AccessGuard } from './exchange/access.guard.js';
import { Holds } from './exchange/holds.js';
import { ExchangeHooks } from './exchange/hooks.js';
import { Offers } from './exchange/offers.js';
import { PostOffice } from './exchange/post.js';
import { ExchangeReceipts } from './exchange/receipts.js';
import { SettlementInterceptor } from './exchange/settlement.interceptor.js';
import { KeyResolver } from './key/key.resolver.js';
import { KeyService } from './key/key.service.js';
import { MeterService } from './meter/meter.service.js';
import { GateMetrics } from './metrics.js';
import { PaymentResolver } from './payment/payment.resolver.js';
import { PaymentService } from './payment/payment.service.js';
import { ReceiptController } from './receipt/receipt.controller.js';
import { ReceiptService } from './receipt/receipt.service.js';
import { GateHealth } from './replica/health.js';
import { GateLifecycle } from './replica/lifecycle.js';
import { ReplicaService } from './replica/replica.service.js';
import { ReplicaId } from './replica-id.js';
import { gateRole } from './schema.js';
import { ProblemController } from './server/problem.controller.js';
import { ProblemFilter } from './server/problem.filter.js';
import { RouteAudit } from './server/route-audit.js';
import { RouteTable } from './server/route-table.js';
import { AccountService } from './terms/account.service.js';
import { PlanService } from './terms/plan.service.js';
import { TermsService } from './terms/terms.service.js';
import { evmChain, settlerWallet, signatureVerifier } from './tokens.js';

/** What the gate is made of, from the bottom up. */
const parts: Provider[] = [
  {
    // The schema is brought up to date before anything else opens the database.
    provide: SqlPool,
    inject: [GateConfig],
    useFactory: async (config: GateConfig) => {
      await migrateGate(config.migrationDatabaseUrl);
      return new SqlPool({ url: config.databaseUrl, applicationName: 'keyfare', role: gateRole });
    },
  },
  {
    provide: DataSource,
    inject: [GateConfig, SqlPool],
    useFactory: (config: GateConfig) => gateDataSource(config.databaseUrl).initialize(),
  },
  {
    provide: evmChain,
    inject: [GateConfig],
    useFactory: (config: GateConfig) =>
      openChain({ rpcUrl: config.rpcUrl, chainId: config.network.chainId, timeoutMs: config.rpcTimeoutMs }),
  },
  {
    provide: settlerWallet,
    inject: [GateConfig, evmChain],
    useFactory: (config: GateConfig, chain: Chain) => createSettlerWallet({ privateKey: config.settlerKey, chain }),
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
  ReplicaId,
  GateMetrics,
  MetadataScanner,
  KeyResolver,
  KeyService,
  PlanService,
  AccountService,
  TermsService,
  MeterService,
  PaymentResolver,
  PaymentService,
  ReceiptService,
  PostOffice,
  ExchangeReceipts,
  Offers,
  Holds,
  ReplicaService,
  AgreementService,
  GateHealth,
  RouteTable,
  RouteAudit,
  ExchangeHooks,
  GateLifecycle,
];

/** The four hooks of the framework, all of them here; the middleware is `ExchangeHooks`. */
const hooks: Provider[] = [
  { provide: APP_GUARD, useClass: AccessGuard },
  { provide: APP_INTERCEPTOR, useClass: SettlementInterceptor },
  { provide: APP_FILTER, useClass: ProblemFilter },
];

/**
 * One door for API keys and x402 payments. Import it once in the root module of a Nest application on Fastify, and
 * declare every route `@Priced(…)` or `@Free()`.
 */
@Module({})
export class GateModule {
  /** Throws a `ConfigurationError` that names every fault of options and environment. */
  static forRoot(options: GateOptions = {}): DynamicModule {
    return {
      module: GateModule,
      global: true,
      imports: [DiscoveryModule],
      controllers: [ReceiptController, ProblemController],
      providers: [{ provide: GateConfig, useValue: readGateConfig(options, process.env) }, ...parts, ...hooks],
      exports: [
        GateConfig,
        GateMetrics,
        GateHealth,
        RouteAudit,
        AgreementService,
        AccountService,
        TermsService,
        KeyService,
        PlanService,
        MeterService,
        ReceiptService,
        ApiKeyStrategy,
        X402Strategy,
      ],
    };
  }
}
