import { withAdvisoryLock } from '@keyfare/db/advisory-lock';
import { createDataSource } from '@keyfare/db/data-source';
import { migrate, pendingMigrations } from '@keyfare/db/migrations';
import { asMissingRights, MissingRights, missingRights } from '@keyfare/db/rights';
import { isConnectionLost } from '@keyfare/db/sql';
import { AuditEntity, IdempotentRequestEntity } from '@keyfare/gate/operators';
import type { DataSource } from 'typeorm';
import { CreateChain1796000000400 } from './chain/chain.migration.js';
import { ChainBlockEntity } from './chain/chain-block.entity.js';
import { ChainCursorEntity } from './chain/chain-cursor.entity.js';
import { ChainTransferEntity } from './chain/chain-transfer.entity.js';
import { FindRarities1799000000989 } from './chain/find.migration.js';
import { AccountingMonthEntity } from './close/accounting-month.entity.js';
import { CloseMonths1799000000410 } from './close/close.migration.js';
import { MonthEventEntity } from './close/month-event.entity.js';
import { MonthSignOffEntity } from './close/month-sign-off.entity.js';
import { CustomerSessionEntity } from './console/customer-session.entity.js';
import { LetCustomersIn1799000000990 } from './console/customer-session.migration.js';
import { BillingCycleEntity } from './customer/billing-cycle.entity.js';
import { ContractEntity } from './customer/contract.entity.js';
import { ContractCommitEntity, ContractPriceEntity } from './customer/contract-terms.entity.js';
import { PriceContracts1799000000964 } from './customer/contract-terms.migration.js';
import { NameCountries1799000000963 } from './customer/country.migration.js';
import { CustomerEntity } from './customer/customer.entity.js';
import { CreateCustomer1799000000500 } from './customer/customer.migration.js';
import { PeriodsOfContracts1799000001000 } from './customer/periods.migration.js';
import { SellerEntity } from './customer/seller.entity.js';
import { TaxRateEntity } from './customer/tax-rate.entity.js';
import { EntryEntity } from './intake/entry.entity.js';
import { FeedCursorEntity } from './intake/feed-cursor.entity.js';
import { CreateIntake1796000000100 } from './intake/intake.migration.js';
import { PaymentEntity } from './intake/payment.entity.js';
import { ReadByPlace1796000000700 } from './intake/place.migration.js';
import { ReadmissionEntity } from './intake/readmission.entity.js';
import { ReadmitEntries1799000000910 } from './intake/readmission.migration.js';
import { ReceiptKeyEntity } from './intake/receipt-key.entity.js';
import { AdjustmentEntity, InvoiceAdjustmentEntity } from './invoice/adjustment.entity.js';
import { AdjustInvoices1799000000962 } from './invoice/adjustment.migration.js';
import { CreditNoteEntity } from './invoice/credit-note.entity.js';
import { CreditNoteLineEntity } from './invoice/credit-note-line.entity.js';
import { InvoiceEntity } from './invoice/invoice.entity.js';
import { CreateInvoice1796000000500 } from './invoice/invoice.migration.js';
import { InvoiceLateEntity } from './invoice/invoice-late.entity.js';
import { InvoiceLineEntity } from './invoice/invoice-line.entity.js';
import { InvoicePaymentEntity } from './invoice/invoice-payment.entity.js';
import { InvoiceReleaseEntity } from './invoice/invoice-release.entity.js';
import { LiveInvoices1799000000510 } from './invoice/life.migration.js';
import { NumberSeriesEntity } from './invoice/number-series.entity.js';
import { PayAhead1799000000965 } from './invoice/prepaid.migration.js';
import { UndonePaymentEntity } from './invoice/undone-payment.entity.js';
import { AssetEntity } from './ledger/asset.entity.js';
import { BalanceDayEntity, BalanceEntity, WalletDayEntity } from './ledger/balance.entity.js';
import { DateMovements1799000000920 } from './ledger/dated.migration.js';
import { CountEurc1798000000400 } from './ledger/eurc.migration.js';
import { JournalEntity } from './ledger/journal.entity.js';
import { CreateLedger1796000000300 } from './ledger/ledger.migration.js';
import { LedgerAccountEntity } from './ledger/ledger-account.entity.js';
import { MovementEntity } from './ledger/movement.entity.js';
import { KeepMovements1799000000100 } from './ledger/movements.migration.js';
import { WriteWholeJournals1799000001010 } from './ledger/whole-journals.migration.js';
import { MatchEntity } from './match/match.entity.js';
import { CreateMatch1799000000200 } from './match/match.migration.js';
import { OpenPaymentEntity } from './match/open-payment.entity.js';
import { KnownOperatorEntity } from './operator/known-operator.entity.js';
import {
  AuditChanges1797000000000,
  KnowOperators1797000000100,
  KnowSessions1799000000980,
} from './operator/operator.migration.js';
import { ChargeEntity } from './rating/charge.entity.js';
import { ChargeDayEntity } from './rating/charge-day.entity.js';
import { SumCharges1799000000921 } from './rating/charge-day.migration.js';
import { EndTerms1797000000200 } from './rating/ends.migration.js';
import { ChargeFreeCalls1798000000320 } from './rating/free.migration.js';
import { PeriodTotalEntity } from './rating/period-total.entity.js';
import { CreateRating1796000000200 } from './rating/rating.migration.js';
import { TermsEntity } from './rating/terms.entity.js';
import { NameTerms1799000000000 } from './rating/terms.migration.js';
import { BankAccountEntity } from './receivable/bank-account.entity.js';
import { BankPaymentEntity } from './receivable/bank-payment.entity.js';
import { CreditCustomers1799000000810 } from './receivable/credit.migration.js';
import { CustomerCreditEntity } from './receivable/customer-credit.entity.js';
import { CustomerWalletEntity } from './receivable/customer-wallet.entity.js';
import { CreateBankPayments1799000000800 } from './receivable/receivable.migration.js';
import { ReminderEntity, ReminderInvoiceEntity } from './receivable/reminder.entity.js';
import { WriteReminders1799000000961 } from './receivable/reminder.migration.js';
import { UnmatchPayments1799000000960 } from './receivable/unmatch.migration.js';
import { KnowCustomerWallets1799000000820 } from './receivable/wallet.migration.js';
import { BreakEntity } from './reconcile/break.entity.js';
import { BreakCommentEntity, BreakEventEntity, BreakResolutionEntity } from './reconcile/case.entity.js';
import { WorkOnBreaks1799000000400 } from './reconcile/cases.migration.js';
import { ControlTotalEntity } from './reconcile/control-total.entity.js';
import { InvoiceProofEntity } from './reconcile/invoice-proof.entity.js';
import { ProveInvoices1799000000900 } from './reconcile/invoice-proof.migration.js';
import { CreateReconcile1796000000600 } from './reconcile/reconcile.migration.js';
import { ReconciliationEntity } from './reconcile/reconciliation.entity.js';
import { ReconciliationRunEntity } from './reconcile/reconciliation-run.entity.js';
import { QueueRuns1799000000300 } from './reconcile/runs.migration.js';
import { CreateBillingRoles1796000000000, TellBillingMigrations1797000034000 } from './roles.migration.js';
import { areJobsReady, migrateJobs } from './runtime/queues.js';
import { billingRole, jobsSchema, schema } from './schema.js';
import { CreditRefunds1799000000942 } from './treasury/credit.migration.js';
import { ReadGas1799000000941 } from './treasury/gas.migration.js';
import { GasReadingEntity } from './treasury/gas-reading.entity.js';
import { GasSpentEntity } from './treasury/gas-spent.entity.js';
import { KeepGas1799000000988 } from './treasury/gas-spent.migration.js';
import { WalletEntity } from './treasury/wallet.entity.js';
import { KnowWallets1799000000940 } from './treasury/wallet.migration.js';

const entities = [
  EntryEntity,
  PaymentEntity,
  FeedCursorEntity,
  ReceiptKeyEntity,
  ReadmissionEntity,
  TermsEntity,
  ChargeEntity,
  ChargeDayEntity,
  PeriodTotalEntity,
  AssetEntity,
  LedgerAccountEntity,
  JournalEntity,
  MovementEntity,
  BalanceEntity,
  BalanceDayEntity,
  WalletDayEntity,
  ChainCursorEntity,
  ChainBlockEntity,
  ChainTransferEntity,
  MatchEntity,
  OpenPaymentEntity,
  InvoiceEntity,
  InvoiceLineEntity,
  InvoiceLateEntity,
  InvoiceReleaseEntity,
  InvoicePaymentEntity,
  UndonePaymentEntity,
  AdjustmentEntity,
  InvoiceAdjustmentEntity,
  CreditNoteEntity,
  CreditNoteLineEntity,
  NumberSeriesEntity,
  SellerEntity,
  CustomerEntity,
  ContractEntity,
  BillingCycleEntity,
  ContractPriceEntity,
  ContractCommitEntity,
  TaxRateEntity,
  BankAccountEntity,
  BankPaymentEntity,
  CustomerCreditEntity,
  CustomerWalletEntity,
  ReminderEntity,
  ReminderInvoiceEntity,
  WalletEntity,
  GasReadingEntity,
  GasSpentEntity,
  BreakEntity,
  BreakCommentEntity,
  BreakEventEntity,
  BreakResolutionEntity,
  AccountingMonthEntity,
  MonthEventEntity,
  MonthSignOffEntity,
  ReconciliationEntity,
  ReconciliationRunEntity,
  ControlTotalEntity,
  InvoiceProofEntity,
  AuditEntity,
  IdempotentRequestEntity,
  KnownOperatorEntity,
  CustomerSessionEntity,
];

/** In the order in which they run. A merged migration is never edited. */
const migrations = [
  CreateBillingRoles1796000000000,
  CreateIntake1796000000100,
  CreateRating1796000000200,
  CreateLedger1796000000300,
  CreateChain1796000000400,
  CreateInvoice1796000000500,
  CreateReconcile1796000000600,
  ReadByPlace1796000000700,
  AuditChanges1797000000000,
  KnowOperators1797000000100,
  EndTerms1797000000200,
  TellBillingMigrations1797000034000,
  ChargeFreeCalls1798000000320,
  CountEurc1798000000400,
  NameTerms1799000000000,
  KeepMovements1799000000100,
  CreateMatch1799000000200,
  WorkOnBreaks1799000000400,
  CloseMonths1799000000410,
  QueueRuns1799000000300,
  CreateCustomer1799000000500,
  LiveInvoices1799000000510,
  CreateBankPayments1799000000800,
  CreditCustomers1799000000810,
  KnowCustomerWallets1799000000820,
  ProveInvoices1799000000900,
  ReadmitEntries1799000000910,
  DateMovements1799000000920,
  SumCharges1799000000921,
  KnowWallets1799000000940,
  ReadGas1799000000941,
  CreditRefunds1799000000942,
  UnmatchPayments1799000000960,
  WriteReminders1799000000961,
  AdjustInvoices1799000000962,
  NameCountries1799000000963,
  PriceContracts1799000000964,
  PayAhead1799000000965,
  KnowSessions1799000000980,
  KeepGas1799000000988,
  FindRarities1799000000989,
  LetCustomersIn1799000000990,
  PeriodsOfContracts1799000001000,
  WriteWholeJournals1799000001010,
];

const jobsLock = 0x6b66_6a62;

/** Billing's data source as a login that owns the schema: for migrations, and for the test that compares them. */
export function ownerDataSource(url: string): DataSource {
  return createDataSource({
    url,
    schema,
    entities,
    migrations,
    applicationName: 'keyfare-billing-migrate',
    poolSize: 2,
  });
}

/**
 * Billing's data source with the rights of a running billing, for what people ask one by one. `isPooled`: see
 * `SqlSettings`.
 */
export function billingDataSource(url: string, isPooled = false): DataSource {
  const settings = { url, schema, entities, migrations: [], applicationName: 'keyfare-billing', isPooled };
  return createDataSource({ ...settings, role: billingRole });
}

/**
 * Brings billing's schemas up to date, its own and that of its jobs, and answers the names of the migrations that it
 * ran. A database that is still starting is waited for. Throws `MissingRights` when something is pending and the login
 * may not run it.
 */
export async function migrateBilling(url: string, waitMs = 30_000): Promise<readonly string[]> {
  return await withOwner(
    url,
    async (dataSource) => {
      const ran = await migrate(dataSource, schema, [billingRole]);
      if (!(await areJobsReady(dataSource))) await migrateJobsInTurn(dataSource, url);
      return ran;
    },
    waitMs,
  );
}

/** What this database has not had: the names of billing's migrations in their order, and the schema of its jobs. */
export async function pendingBillingMigrations(url: string): Promise<readonly string[]> {
  return await withOwner(
    url,
    async (dataSource) => {
      const pending = await pendingMigrations(dataSource, schema);
      return (await areJobsReady(dataSource)) ? pending : [...pending, jobsSchema];
    },
    0,
  );
}

async function withOwner<T>(url: string, work: (dataSource: DataSource) => Promise<T>, waitMs: number): Promise<T> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const dataSource = ownerDataSource(url);
    try {
      await dataSource.initialize();
      return await work(dataSource);
    } catch (error) {
      if (!isConnectionLost(error) || Date.now() > deadline) throw asMissingRights(error, url);
      await new Promise((wake) => setTimeout(wake, 250));
    } finally {
      if (dataSource.isInitialized) await dataSource.destroy();
    }
  }
}

/** Two processes that start together take turns. */
async function migrateJobsInTurn(dataSource: DataSource, url: string): Promise<void> {
  const sentences = await missingRights(dataSource, { schema: jobsSchema, roles: [], alwaysCreates: true });
  if (sentences.length > 0) throw new MissingRights(sentences);
  await withAdvisoryLock(dataSource, jobsLock, (run) =>
    migrateJobs(url, async (statements) => {
      for (const statement of statements) await run(statement);
    }),
  );
}
