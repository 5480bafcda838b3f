import { createDataSource } from '@keyfare/db/data-source';
import type { Place } from '@keyfare/db/host-pool';
import { migrate, pendingMigrations } from '@keyfare/db/migrations';
import { asMissingRights } from '@keyfare/db/rights';
import { isConnectionLost } from '@keyfare/db/sql';
import type { DataSource } from 'typeorm';
import { AnswerEntity } from './answer/answer.entity.js';
import { CreateAnswer1796000000400 } from './answer/answer.migration.js';
import { CountFreeCalls1798000000320 } from './free/free.migration.js';
import { FreeCallerEntity, FreeHoldEntity, FreeTierEntity } from './free/free-tier.entity.js';
import { KeyEntity } from './key/key.entity.js';
import { CreateKey1795000000200 } from './key/key.migration.js';
import { KeyUseEntity } from './key/key-use.entity.js';
import { KnowKeyUse1799000000985 } from './key/key-use.migration.js';
import { SecretEntity } from './key/secret.entity.js';
import { EntryEntity } from './log/entry.entity.js';
import { ShowDocumentParts1799000000990 } from './log/feed-bytes.migration.js';
import { CreateFeeds1795000000700, CreateLog1795000000600 } from './log/log.migration.js';
import { PlacedEntity, SequencerEntity, UnplacedEntity } from './log/placed.entity.js';
import { PlaceEntries1796000000100 } from './log/places.migration.js';
import { AllowanceEntity } from './meter/allowance.entity.js';
import { LeaseEntity } from './meter/lease.entity.js';
import { FoldLeases1796000000210 } from './meter/lease.migration.js';
import { CreateMeter1795000000300 } from './meter/meter.migration.js';
import { AuditEntity, IdempotentRequestEntity } from './operator/audit.entity.js';
import { BootstrapEntity, OperatorEntity } from './operator/operator.entity.js';
import { CreateOperator1797000000000 } from './operator/operator.migration.js';
import { SessionEntity, SignInLinkEntity } from './operator/session.entity.js';
import { SignIn1799000000980 } from './operator/session.migration.js';
import { BlockedPayerEntity } from './payment/blocked-payer.entity.js';
import { ExposureEntity, OpenTotalEntity } from './payment/exposure.entity.js';
import { PaymentEntity } from './payment/payment.entity.js';
import { CreatePayment1795000000400 } from './payment/payment.migration.js';
import { PaymentFlows1796000000300 } from './payment/payment-flows.migration.js';
import { HotPaymentSteps1796000001000 } from './payment/payment-hot.migration.js';
import { LeanPaymentIndexes1796000000800 } from './payment/payment-indexes.migration.js';
import { NamePaymentSku1796000000900 } from './payment/payment-sku.migration.js';
import { PriceEntity } from './price/price.entity.js';
import { RecordPrices1798000000390 } from './price/price.migration.js';
import { CreateReceipt1795000000500 } from './receipt/receipt.migration.js';
import { ReceiptKeyEntity } from './receipt/receipt-key.entity.js';
import { ReplicaEntity } from './replica/replica.entity.js';
import { CreateReplica1795000000800, CreateRoles1795000000000 } from './replica/replica.migration.js';
import { TellMigrations1797000034000 } from './replica/told-migrations.migration.js';
import { gateRole, schema } from './schema.js';
import { CreditRefunds1799000000991 } from './settlement/credited-refund.migration.js';
import { RefundEntity } from './settlement/refund.entity.js';
import { PayRefunds1799000000950 } from './settlement/refund.migration.js';
import { SettlementEntity } from './settlement/settlement.entity.js';
import { WalletEntity } from './settlement/wallet.entity.js';
import { AccountEntity } from './terms/account.entity.js';
import { ShowAccountEnds1797000000200 } from './terms/account-end.migration.js';
import { EndAccounts1797000000100 } from './terms/account-life.migration.js';
import { OrderTerms1796000000200 } from './terms/account-order.migration.js';
import { TellZeroOverage1796000001100 } from './terms/overage-price.migration.js';
import { PlanEntity } from './terms/plan.entity.js';
import { CreatePlan1795000000100 } from './terms/terms.migration.js';

const entities = [
  AnswerEntity,
  PlanEntity,
  AccountEntity,
  KeyEntity,
  SecretEntity,
  KeyUseEntity,
  ReplicaEntity,
  AllowanceEntity,
  LeaseEntity,
  PaymentEntity,
  ExposureEntity,
  OpenTotalEntity,
  BlockedPayerEntity,
  WalletEntity,
  SettlementEntity,
  RefundEntity,
  ReceiptKeyEntity,
  EntryEntity,
  UnplacedEntity,
  PlacedEntity,
  SequencerEntity,
  OperatorEntity,
  BootstrapEntity,
  SessionEntity,
  SignInLinkEntity,
  AuditEntity,
  IdempotentRequestEntity,
  FreeTierEntity,
  FreeCallerEntity,
  FreeHoldEntity,
  PriceEntity,
];

/** In the order in which they run. A merged migration is never edited. */
const migrations = [
  CreateRoles1795000000000,
  CreatePlan1795000000100,
  CreateKey1795000000200,
  CreateMeter1795000000300,
  CreatePayment1795000000400,
  CreateReceipt1795000000500,
  CreateLog1795000000600,
  CreateFeeds1795000000700,
  CreateReplica1795000000800,
  PlaceEntries1796000000100,
  OrderTerms1796000000200,
  FoldLeases1796000000210,
  PaymentFlows1796000000300,
  CreateAnswer1796000000400,
  LeanPaymentIndexes1796000000800,
  NamePaymentSku1796000000900,
  HotPaymentSteps1796000001000,
  TellZeroOverage1796000001100,
  CreateOperator1797000000000,
  EndAccounts1797000000100,
  ShowAccountEnds1797000000200,
  TellMigrations1797000034000,
  CountFreeCalls1798000000320,
  RecordPrices1798000000390,
  PayRefunds1799000000950,
  SignIn1799000000980,
  KnowKeyUse1799000000985,
  ShowDocumentParts1799000000990,
  CreditRefunds1799000000991,
];

/** Their names, in their order: what changes when the schema does. */
export const gateMigrations: readonly string[] = migrations.map(({ name }) => name);

/** The roles that the migrations grant to: the running gate's, and that of whoever reads its log. */
const roles = [gateRole, 'keyfare_billing_reader'];

/** The gate's data source as a login that owns the schema: for migrations, and for the test that compares them. */
export function ownerDataSource(database: string | Place): DataSource {
  const place = typeof database === 'string' ? { url: database } : database;
  return createDataSource({ ...place, schema, entities, migrations, applicationName: 'keyfare-migrate', poolSize: 2 });
}

/**
 * Brings the schema up to date and answers the names of the migrations that it ran. A database that is still starting
 * is waited for. Throws `MissingRights` when something is pending and the login may not run it.
 */
export async function migrateGate(database: string | Place, waitMs = 30_000): Promise<readonly string[]> {
  return await withOwner(database, (dataSource) => migrate(dataSource, schema, roles), waitMs);
}

/** The names of the gate's migrations that this database has not had, in their order. */
export async function pendingGateMigrations(database: string | Place, waitMs = 0): Promise<readonly string[]> {
  return await withOwner(database, (dataSource) => pendingMigrations(dataSource, schema), waitMs);
}

async function withOwner<T>(
  database: string | Place,
  work: (dataSource: DataSource) => Promise<T>,
  waitMs: number,
): Promise<T> {
  const url = typeof database === 'string' ? database : 'url' in database ? database.url : '';
  const deadline = Date.now() + waitMs;
  for (;;) {
    const dataSource = ownerDataSource(database);
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

/**
 * What is wrong with a schema that is behind this version, and what to run; nothing when it is up to date. A database
 * that is still starting is waited for.
 */
export async function schemaFaults(database: Place): Promise<readonly string[]> {
  const pending = await pendingGateMigrations(database, 30_000);
  if (pending.length === 0) return [];
  return [
    `MIGRATE is false, and the schema is behind by ${pending.length} migrations, from ${pending[0]}: run \`keyfare migrate\`, ` +
      'or migrateGate() of @keyfare/gate/database, as the owner of the schema, then start again',
  ];
}
