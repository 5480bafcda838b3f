import { type Clock, systemClock } from '@keyfare/core/time';
import { checkLogin } from '@keyfare/db/rights';
import { SqlPool } from '@keyfare/db/sql';
import { openChain } from '@keyfare/evm/chain';
import {
  AdminInterceptor,
  BootstrapToken,
  Changes,
  OperatorGuard,
  OperatorLookup,
  SessionCookie,
} from '@keyfare/gate/operators';
import {
  ConfigurationError,
  otherChainFault,
  ProblemFilter,
  RouteTable,
  servesOtherChain,
  Watch,
} from '@keyfare/gate/server';
import { type DynamicModule, Module, type Provider, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { Wallets } from './chain/wallets.js';
import { MonthController } from './close/month.controller.js';
import { MonthService } from './close/month.service.js';
import { MonthReportService } from './close/month-report.service.js';
import { BillingConfig } from './config.js';
import { ApiClient } from './console/api-client.js';
import { sessionCookieName } from './console/cookies.js';
import { CustomerGuard } from './console/customer.guard.js';
import { CustomerSessionController } from './console/customer-session.controller.js';
import { CustomerSessions } from './console/customer-sessions.js';
import { ForwardController } from './console/forward.controller.js';
import { RefundsOfApi } from './console/refunds-of-api.js';
import { SessionController } from './console/session.controller.js';
import { Touches } from './console/touches.js';
import { ContractController } from './customer/contract.controller.js';
import { ContractTermsController } from './customer/contract-terms.controller.js';
import { ContractTerms } from './customer/contract-terms.js';
import { CustomerController } from './customer/customer.controller.js';
import { MasterData } from './customer/master-data.js';
import { SellerController } from './customer/seller.controller.js';
import { TaxRateController } from './customer/tax-rate.controller.js';
import { billingDataSource, migrateBilling } from './database.js';
import { EntryStore } from './intake/entry-store.js';
import { sqlFeed } from './intake/feed.js';
import { IntakeService } from './intake/intake.service.js';
import { KeyStore } from './intake/key.service.js';
import { Adjustments } from './invoice/adjustments.js';
import { InvoiceController } from './invoice/invoice.controller.js';
import { InvoiceService } from './invoice/invoice.service.js';
import { LedgerService } from './ledger/ledger.service.js';
import { AuditController } from './operator/audit.controller.js';
import { KnownOperators } from './operator/known-operators.js';
import { Adjusting } from './pipeline/adjusting.js';
import { AdjustmentController } from './pipeline/adjustment.controller.js';
import { BankMatches } from './pipeline/bank-matches.js';
import { BankPaymentController } from './pipeline/bank-payment.controller.js';
import { BankStatementController } from './pipeline/bank-statement.controller.js';
import { BankStatements } from './pipeline/bank-statements.js';
import { BreakController } from './pipeline/break.controller.js';
import { ChainJob } from './pipeline/chain.job.js';
import { CreditNotes } from './pipeline/credit-notes.js';
import { CustomerCreditController } from './pipeline/customer-credit.controller.js';
import { CustomerWalletController } from './pipeline/customer-wallet.controller.js';
import { DraftsJob } from './pipeline/drafts.job.js';
import { EntryController } from './pipeline/entry.controller.js';
import { EntryStories } from './pipeline/entry-story.js';
import { Finalizing } from './pipeline/finalize.js';
import { GasReadingController } from './pipeline/gas-reading.controller.js';
import { GasReadings } from './pipeline/gas-readings.js';
import { IntakeJob } from './pipeline/intake.job.js';
import { InvoiceLifeController } from './pipeline/invoice-life.controller.js';
import { InvoiceLife } from './pipeline/invoice-life.js';
import { ReconcileJob } from './pipeline/reconcile.job.js';
import { ReconciliationController } from './pipeline/reconciliation.controller.js';
import { ReminderController } from './pipeline/reminder.controller.js';
import { Resolutions } from './pipeline/resolutions.js';
import { WalletMatches } from './pipeline/wallet-matches.js';
import { RatingService } from './rating/rating.service.js';
import { BankAccountController } from './receivable/bank-account.controller.js';
import { BankAccounts } from './receivable/bank-accounts.js';
import { BankPayments } from './receivable/bank-payments.js';
import { Credits } from './receivable/credits.js';
import { CsvBodies } from './receivable/csv-bodies.js';
import { Proposals } from './receivable/proposals.js';
import { Reminders } from './receivable/reminders.js';
import { BreakService } from './reconcile/break.service.js';
import { ReconcileService } from './reconcile/reconcile.service.js';
import { RunStore } from './reconcile/run-store.js';
import { ExportController } from './reports/export.controller.js';
import { InvoiceDocumentController } from './reports/invoice-document.controller.js';
import { MeController } from './reports/me.controller.js';
import { MonthReportController } from './reports/month-report.controller.js';
import { OverviewController } from './reports/overview.controller.js';
import { ReportController } from './reports/report.controller.js';
import { ReportService } from './reports/report.service.js';
import { TreasuryReportController } from './reports/treasury-report.controller.js';
import { BillingLifecycle } from './runtime/lifecycle.js';
import { JobController, OperationsController } from './runtime/operations.controller.js';
import { Scheduler } from './runtime/scheduler.js';
import { BillingStatus } from './runtime/status.service.js';
import { billingRole, feedReaderRole, schema } from './schema.js';
import { SignaturePool } from './signature-pool.js';
import { Standstills } from './standstills.js';
import { BillingHealth } from './status/health.js';
import { BillingMetrics } from './status/metrics.js';
import { StatusController } from './status/status.controller.js';
import { changePool, clock, evmChain, feedPool, logFeed, memoryPool, operatorPool, reportPool } from './tokens.js';
import { WalletController } from './treasury/wallet.controller.js';

const applicationName = 'keyfare-billing';
const bookTimeoutMs = 60_000;
const reportTimeoutMs = 600_000;

/** Where the data comes from and goes to. */
const connections: Provider[] = [
  {
    // The schema is brought up to date before anything else opens the database.
    provide: SqlPool,
    inject: [BillingConfig],
    useFactory: async (config: BillingConfig) => {
      const { databaseUrl: url, isPooled } = config;
      await migrateBilling(config.migrationDatabaseUrl);
      await checkLogin({ url, role: billingRole, schema, isPooled });
      return new SqlPool({ url, applicationName, role: billingRole, queryTimeoutMs: bookTimeoutMs, isPooled });
    },
  },
  {
    provide: reportPool,
    inject: [BillingConfig],
    useFactory: ({ databaseUrl: url, isPooled }: BillingConfig) =>
      new SqlPool({ url, applicationName, role: billingRole, queryTimeoutMs: reportTimeoutMs, isPooled }),
  },
  {
    provide: DataSource,
    inject: [BillingConfig, SqlPool],
    useFactory: (config: BillingConfig) => billingDataSource(config.databaseUrl, config.isPooled).initialize(),
  },
  {
    provide: feedPool,
    inject: [BillingConfig],
    useFactory: ({ feedDatabaseUrl: url, isPooled }: BillingConfig) =>
      new SqlPool({ url, applicationName, role: feedReaderRole, poolSize: 2, queryTimeoutMs: bookTimeoutMs, isPooled }),
  },
  {
    // What operators do waits for no report and no loop.
    provide: changePool,
    inject: [BillingConfig],
    useFactory: ({ databaseUrl: url, isPooled }: BillingConfig) =>
      new SqlPool({ url, applicationName, role: billingRole, poolSize: 2, isPooled }),
  },
  { provide: Changes, inject: [changePool], useFactory: (pool: SqlPool) => new Changes({ pool, schema }) },
  {
    // Operators are the API's: their tokens are looked up in its database, at every request, and while it is away among
    // those that were seen lately.
    provide: operatorPool,
    inject: [BillingConfig],
    useFactory: ({ feedDatabaseUrl: url, isPooled }: BillingConfig) =>
      new SqlPool({ url, applicationName, role: feedReaderRole, poolSize: 2, isPooled }),
  },
  {
    provide: memoryPool,
    inject: [BillingConfig],
    useFactory: ({ databaseUrl: url, isPooled }: BillingConfig) =>
      new SqlPool({ url, applicationName, role: billingRole, poolSize: 1, isPooled }),
  },
  {
    provide: KnownOperators,
    inject: [memoryPool, operatorPool],
    useFactory: (own: SqlPool, api: SqlPool) => new KnownOperators({ own, api }),
  },
  {
    provide: OperatorLookup,
    inject: [operatorPool, KnownOperators],
    useFactory: (api: SqlPool, known: KnownOperators) => new OperatorLookup(api, known),
  },
  { provide: BootstrapToken, useValue: new BootstrapToken(undefined) },
  ApiClient,
  RefundsOfApi,
  Touches,
  CustomerSessions,
  CustomerGuard,
  {
    // The page that this program serves shows its session in a cookie.
    provide: SessionCookie,
    inject: [BillingConfig, Touches],
    useFactory: (config: BillingConfig, touches: Touches) =>
      new SessionCookie(sessionCookieName(config), (token, request) => touches.touch(token, request)),
  },
  { provide: logFeed, inject: [feedPool], useFactory: sqlFeed },
  {
    provide: evmChain,
    inject: [BillingConfig, BillingMetrics],
    // A node that does not answer stops nothing: no answer of it counts before its chain id was right.
    useFactory: async (config: BillingConfig, { rpc }: BillingMetrics) => {
      const { rpcUrl, network, rpcTimeoutMs: timeoutMs, isProduction } = config;
      const chain = openChain({ rpcUrl, chainId: network.chainId, timeoutMs, observer: rpc.observer(network.caip2) });
      if (!isProduction || !(await servesOtherChain(chain))) return chain;
      chain.close();
      throw new ConfigurationError([otherChainFault('RPC_URL', network)]);
    },
  },
];

/** The rooms, and the jobs that join them. */
const rooms: Provider[] = [
  KeyStore,
  { provide: SignaturePool, useFactory: () => new SignaturePool() },
  IntakeService,
  EntryStore,
  EntryStories,
  RatingService,
  LedgerService,
  Wallets,
  InvoiceService,
  Adjustments,
  Adjusting,
  MasterData,
  ContractTerms,
  BankAccounts,
  BankPayments,
  BankStatements,
  BankMatches,
  Proposals,
  Reminders,
  WalletMatches,
  GasReadings,
  Credits,
  CsvBodies,
  Standstills,
  ReconcileService,
  RunStore,
  BreakService,
  Resolutions,
  MonthService,
  MonthReportService,
  ReportService,
  IntakeJob,
  ChainJob,
  ReconcileJob,
  DraftsJob,
  Finalizing,
  InvoiceLife,
  CreditNotes,
  Scheduler,
  BillingMetrics,
  BillingHealth,
  BillingLifecycle,
  BillingStatus,
];

/** Billing: reads the API's signed entries and the chain, keeps the books, and proves that they agree. */
@Module({})
export class BillingModule {
  static forRoot(
    config: BillingConfig,
    { now = systemClock, watch = new Watch(config.watch) }: { readonly now?: Clock; readonly watch?: Watch } = {},
  ): DynamicModule {
    return {
      module: BillingModule,
      controllers: [
        InvoiceController,
        InvoiceDocumentController,
        InvoiceLifeController,
        SellerController,
        CustomerController,
        ContractController,
        ContractTermsController,
        TaxRateController,
        BankAccountController,
        BankStatementController,
        BankPaymentController,
        CustomerCreditController,
        CustomerWalletController,
        ReminderController,
        AdjustmentController,
        WalletController,
        GasReadingController,
        ReconciliationController,
        BreakController,
        EntryController,
        MonthController,
        MonthReportController,
        OverviewController,
        ReportController,
        TreasuryReportController,
        ExportController,
        AuditController,
        SessionController,
        CustomerSessionController,
        MeController,
        ForwardController,
        OperationsController,
        JobController,
        StatusController,
      ],
      providers: [
        { provide: BillingConfig, useValue: config },
        { provide: clock, useValue: now },
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
        OperatorGuard,
        AdminInterceptor,
        { provide: Watch, useValue: watch },
        RouteTable,
        ...connections,
        ...rooms,
      ],
    };
  }
}
