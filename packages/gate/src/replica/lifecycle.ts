import { SqlPool } from '@keyfare/db/sql';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import passport from 'passport';
import { DataSource } from 'typeorm';
import { ApiKeyStrategy } from '../credential/api-key.strategy.js';
import { X402Strategy } from '../credential/x402.strategy.js';
import { PostOffice } from '../exchange/post.js';
import { ExchangeReceipts } from '../exchange/receipts.js';
import { KeyResolver } from '../key/key.resolver.js';
import { Sequencer } from '../log/sequencer.js';
import { MeterService } from '../meter/meter.service.js';
import { GateMetrics } from '../metrics.js';
import { PaymentService } from '../payment/payment.service.js';
import { holdOf } from '../payment/payment-row.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import { ReplicaId } from '../replica-id.js';
import { RouteAudit } from '../server/route-audit.js';
import { TermsService } from '../terms/terms.service.js';
import { ReplicaService } from './replica.service.js';

/** Opens the rooms in their order, and closes them in the other, after the last response has left. */
@Injectable()
export class GateLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Gate');
  readonly #sequencer: Sequencer;

  constructor(
    private readonly routes: RouteAudit,
    private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
    private readonly replica: ReplicaService,
    private readonly keys: KeyResolver,
    private readonly terms: TermsService,
    private readonly receipts: ReceiptService,
    private readonly exchangeReceipts: ExchangeReceipts,
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly post: PostOffice,
    private readonly metrics: GateMetrics,
    private readonly apiKey: ApiKeyStrategy,
    private readonly x402: X402Strategy,
    replicaId: ReplicaId,
  ) {
    this.#sequencer = new Sequencer({
      sql,
      holder: () => replicaId.id,
      onError: (error) => this.#logger.warn(error),
    });
  }

  async onModuleInit(): Promise<void> {
    this.routes.check();
    passport.use(this.apiKey);
    passport.use(this.x402);
    await this.receipts.open();
    this.payments.onEnd(async (row, outcome) => {
      if (row.call !== null) await this.exchangeReceipts.postOutcome(holdOf(row), row.call, outcome);
    });
    this.#registerRooms();
    this.metrics.countSettling = () => this.payments.underWay;
    await this.replica.open();
    this.#sequencer.start();
    // The chain may be away: then the wallet is opened by the first payment that finds it.
    void this.payments.openWallet().catch((error: unknown) => this.#logger.warn(error));
  }

  /** What each room does in the life of a process; the order is that of a sweep. */
  #registerRooms(): void {
    this.replica.register({
      hears: { keyfare_key: (payload) => this.keys.cache.announce(...versionIn(payload)) },
      setListening: (listening) => this.keys.cache.setListening(listening),
    });
    this.replica.register({
      hears: { keyfare_account: (payload) => this.terms.cache.announce(...versionIn(payload)) },
      setListening: (listening) => this.terms.cache.setListening(listening),
    });
    this.replica.register({
      hears: {
        keyfare_account: (payload) => this.meter.announceTerms(versionIn(payload)[0]),
        keyfare_recall: (accountId) => this.meter.giveBack(accountId),
      },
      renamed: () => this.meter.renamed(),
      sweep: async (tx) => {
        await this.meter.sweep(tx);
        return undefined;
      },
      tidy: () => this.meter.tidy(),
    });
    this.replica.register({
      sweep: async (tx, deadIds) => {
        const unfollowed = await this.payments.sweep(tx, deadIds);
        return () => this.payments.follow(unfollowed);
      },
    });
  }

  /** In-flight calls are answered next, and one that waits for a database that is away would never be. */
  beforeApplicationShutdown(): void {
    this.post.limitDoubt();
    this.payments.limitDoubt();
  }

  /** In-flight calls have been answered by now. What they left under way is finished, and what they held given back. */
  async onApplicationShutdown(): Promise<void> {
    await this.payments.close();
    await this.post.close();
    await this.#sequencer.close();
    await this.replica.stopTurns();
    await this.meter.close();
    await this.replica.close();
    await this.dataSource.destroy();
    await this.sql.close();
  }
}

/** A notification names a row and its version. */
function versionIn(payload: string): [id: string, version: bigint] {
  const [id = '', version = '0'] = payload.split(' ');
  return [id, BigInt(version)];
}
