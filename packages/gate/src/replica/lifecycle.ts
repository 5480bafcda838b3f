import { SqlPool } from '@keyfare/db/sql';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { AnswerService } from '../answer/answer.service.js';
import { ExchangeHooks } from '../exchange/hooks.js';
import { LaterEntries } from '../exchange/later.js';
import { PostOffice } from '../exchange/post.js';
import { PricedRoutes } from '../exchange/priced-routes.js';
import { Quoting } from '../exchange/quoting.js';
import { WayOut } from '../exchange/way-out.js';
import { FreeService } from '../free/free.service.js';
import { KeyResolver } from '../key/key.resolver.js';
import { KeyUses } from '../key/key-uses.js';
import { ListPool } from '../list-pool.js';
import { Sequencer } from '../log/sequencer.js';
import { MeterService } from '../meter/meter.service.js';
import { GateMetrics } from '../metrics.js';
import { FreshPayments } from '../payment/fresh-payments.js';
import { PaymentService } from '../payment/payment.service.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import { ReplicaId } from '../replica-id.js';
import { RouteAudit } from '../server/route-audit.js';
import { RefundService } from '../settlement/refund.service.js';
import { SettlementService } from '../settlement/settlement.service.js';
import { TariffAudit } from '../tariff-audit.js';
import { TermsService } from '../terms/terms.service.js';
import { ReplicaService } from './replica.service.js';

/** Opens the rooms in their order, and closes them in the other, after the last response has left. */
@Injectable()
export class GateLifecycle
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #logger = new Logger('Gate');
  readonly #sequencer: Sequencer;

  constructor(
    private readonly tariffs: TariffAudit,
    private readonly routes: RouteAudit,
    private readonly sql: SqlPool,
    private readonly lists: ListPool,
    private readonly replica: ReplicaService,
    private readonly keys: KeyResolver,
    private readonly uses: KeyUses,
    private readonly terms: TermsService,
    private readonly receipts: ReceiptService,
    private readonly settlements: SettlementService,
    private readonly refunds: RefundService,
    private readonly later: LaterEntries,
    private readonly meter: MeterService,
    private readonly free: FreeService,
    private readonly fresh: FreshPayments,
    private readonly payments: PaymentService,
    private readonly post: PostOffice,
    private readonly metrics: GateMetrics,
    private readonly answers: AnswerService,
    private readonly pricedRoutes: PricedRoutes,
    private readonly hooks: ExchangeHooks,
    private readonly wayOut: WayOut,
    private readonly quoting: Quoting,
    replicaId: ReplicaId,
  ) {
    this.#sequencer = new Sequencer({
      sql,
      holder: () => replicaId.id,
      onError: (error) => this.#logger.warn(error),
    });
  }

  async onModuleInit(): Promise<void> {
    this.tariffs.check();
    this.routes.check();
    for (const { name, free } of this.tariffs.freeRoutes()) {
      const { calls, per, period, total } = free;
      this.#logger.log(`${name} gives away ${calls} calls per ${per} and ${period}, ${total} in total`);
    }
    await this.receipts.open();
    this.payments.onEnd((row, outcome) => this.later.end(row, outcome));
    this.settlements.listen({
      ended: (exchangeId, outcome) => this.payments.end(exchangeId, outcome),
      dropped: (exchangeId, dropped, outcome) => void this.later.drop(exchangeId, dropped, outcome),
      reverted: (payer) => this.payments.reverted(payer),
      mined: (settlement) => this.metrics.settlements.mined(settlement),
      concluded: (network, outcome) => this.metrics.settlements.ended(network, outcome),
    });
    this.#registerRooms();
    this.metrics.countSettling = () => this.settlements.underWay;
    await this.replica.open();
    this.#sequencer.start();
    // The chain may be away: then the wallet is opened by the first payment that finds it.
    void this.settlements.open().catch((error: unknown) => this.#logger.warn(error));
  }

  /** What each room does in the life of a process; the order is that of a sweep. */
  #registerRooms(): void {
    this.replica.register({
      hears: { keyfare_key: (payload) => this.keys.cache.announce(...versionIn(payload)) },
      setListening: (listening) => this.keys.cache.setListening(listening),
      tidy: () => this.uses.tidy(),
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
        await this.free.sweep(tx, deadIds);
        return undefined;
      },
      tidy: () => this.free.tidy(),
    });
    this.replica.register({
      sweep: async (tx) => {
        await this.answers.sweep(tx);
        return undefined;
      },
    });
    this.replica.register({
      sweep: async (tx, deadIds) => {
        const unfollowed = await this.payments.sweep(tx, deadIds);
        return () => this.settlements.follow(unfollowed);
      },
      tidy: async () => {
        for (const row of await this.payments.unserved()) await this.later.oweRefund(row, 'not-served');
      },
    });
    this.replica.register({
      sweep: async (tx, deadIds) => {
        await this.refunds.sweep(tx, deadIds);
        return undefined;
      },
      tidy: () => this.refunds.tidy(),
    });
  }

  /** All routes are registered, and the plugins of the host have added their hooks. */
  onApplicationBootstrap(): void {
    this.pricedRoutes.surround({
      beforeBody: (tariff) => this.quoting.askBeforeBody(tariff),
      first: this.hooks.enter,
      last: this.wayOut.leave,
    });
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
    await this.refunds.close();
    await this.payments.close();
    await this.later.close();
    await this.answers.close();
    await this.post.close();
    await this.free.close();
    await this.fresh.close();
    await this.#sequencer.close();
    await this.replica.stopTurns();
    // When keys were last used is worth no delay of the end.
    await this.uses.write().catch((error: unknown) => this.#logger.warn(error));
    await this.meter.close();
    await this.replica.close();
    await Promise.all([this.sql.close(), this.lists.close()]);
  }
}

/** A notification names a row and its version. */
function versionIn(payload: string): [id: string, version: bigint] {
  const [id = '', version = '0'] = payload.split(' ');
  return [id, BigInt(version)];
}
