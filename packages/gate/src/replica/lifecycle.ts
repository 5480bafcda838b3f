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
import { LaterEntries } from '../exchange/later.js';
import { PostOffice } from '../exchange/post.js';
import { checkLogOrder } from '../log/check-order.js';
import { MeterService } from '../meter/meter.service.js';
import { GateMetrics } from '../metrics.js';
import { PaymentService } from '../payment/payment.service.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import { RouteAudit } from '../server/route-audit.js';
import { SettlementService } from '../settlement/settlement.service.js';
import { ReplicaService } from './replica.service.js';

/** Opens the rooms in their order, and closes them in the other, after the last response has left. */
@Injectable()
export class GateLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Gate');

  constructor(
    private readonly routes: RouteAudit,
    private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
    private readonly replica: ReplicaService,
    private readonly receipts: ReceiptService,
    private readonly settlements: SettlementService,
    private readonly later: LaterEntries,
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly post: PostOffice,
    private readonly metrics: GateMetrics,
    private readonly apiKey: ApiKeyStrategy,
    private readonly x402: X402Strategy,
  ) {}

  async onModuleInit(): Promise<void> {
    this.routes.check();
    passport.use(this.apiKey);
    passport.use(this.x402);
    await checkLogOrder(this.sql);
    await this.receipts.open();
    this.payments.onEnd((row, outcome) => this.later.end(row, outcome));
    this.settlements.listen({
      ended: (exchangeId, outcome) => this.payments.end(exchangeId, outcome),
      dropped: (exchangeId, dropped, outcome) => void this.later.drop(exchangeId, dropped, outcome),
      reverted: (payer) => this.payments.reverted(payer),
    });
    this.metrics.countSettling = () => this.settlements.underWay;
    await this.replica.open();
    // The chain may be away: then the wallet is opened by the first payment that finds it.
    void this.settlements.open().catch((error: unknown) => this.#logger.warn(error));
  }

  /** In-flight calls are answered next, and one that waits for a database that is away would never be. */
  beforeApplicationShutdown(): void {
    this.post.limitDoubt();
    this.settlements.limitDoubt();
    this.later.limitDoubt();
  }

  /** In-flight calls have been answered by now. What they left under way is finished, and what they held given back. */
  async onApplicationShutdown(): Promise<void> {
    await this.settlements.close();
    await this.payments.close();
    await this.later.close();
    await this.post.close();
    await this.meter.close();
    await this.replica.close();
    await this.dataSource.destroy();
    await this.sql.close();
  }
}
