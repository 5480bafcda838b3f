import { Listener } from '@keyfare/db/listener';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { LaterEntries } from '../exchange/later.js';
import { KeyResolver } from '../key/key.resolver.js';
import { MeterService } from '../meter/meter.service.js';
import { PaymentService } from '../payment/payment.service.js';
import { ReplicaId } from '../replica-id.js';
import { SettlementService } from '../settlement/settlement.service.js';

/**
 * This process among its peers: it shows that it lives, hears what they announce, and takes over what a dead one left.
 * All clocks compared here are the database's.
 */
@Injectable()
export class ReplicaService {
  readonly #logger = new Logger('Replica');
  readonly #listener: Listener;
  #beating: NodeJS.Timeout | undefined;
  #beat: Promise<void> | undefined;
  #registered = false;
  #closed = false;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
    private readonly keys: KeyResolver,
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly settlements: SettlementService,
    private readonly later: LaterEntries,
  ) {
    this.#listener = new Listener({
      url: config.databaseUrl,
      applicationName: 'keyfare-listener',
      channels: ['keyfare_key', 'keyfare_account', 'keyfare_recall'],
      onNotification: (channel, payload) => this.#hear(channel, payload),
      onState: (listening) => keys.cache.setListening(listening),
    });
  }

  /** Whether changes of keys are heard at once; while not, every call asks the database. */
  get listening(): boolean {
    return this.#listener.listening;
  }

  async open(): Promise<void> {
    await this.#heartbeat();
    await this.#listener.start();
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#beating);
    await this.#beat;
    await this.#listener.close();
    await this.sql
      .query({ text: 'delete from keyfare.replica where id = $1', values: [this.replica.id] })
      .catch(() => undefined);
  }

  #hear(channel: string, payload: string): void {
    if (channel === 'keyfare_key') {
      const [id = '', version = '0'] = payload.split(' ');
      this.keys.cache.announce(id, BigInt(version));
    } else if (channel === 'keyfare_account') {
      this.keys.cache.announceAccount(payload);
      this.meter.announceAccount(payload).catch((error: unknown) => this.#logger.warn(error));
    } else this.meter.giveBack(payload).catch((error: unknown) => this.#logger.warn(error));
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#beating = setTimeout(() => {
      this.#beat = this.#turn().finally(() => this.#schedule());
    }, this.config.replicaTtlMs / 5);
    this.#beating.unref();
  }

  async #turn(): Promise<void> {
    try {
      await this.#heartbeat();
      await this.#sweep();
      await this.meter.tidy();
    } catch (error) {
      this.#logger.warn(error);
    }
  }

  async #heartbeat(): Promise<void> {
    const [row] = await this.sql.query<{ inserted: boolean }>({
      name: 'keyfare_heartbeat',
      text: `
        insert into keyfare.replica (id, started_at, expires_at)
        values ($1, now(), now() + $2::integer * interval '1 millisecond')
        on conflict (id) do update set expires_at = excluded.expires_at
        returning xmax = 0 as inserted`,
      values: [this.replica.id, this.config.replicaTtlMs],
    });
    // A row that is new again was swept: peers took this process for dead, and its leases with it.
    if (this.#registered && row?.inserted === true) this.meter.reset();
    this.#registered = true;
  }

  /**
   * One of the living takes each dead process, and in one transaction all that it held. What this process itself let
   * drop is picked up as well.
   */
  async #sweep(): Promise<void> {
    const unfollowed = await this.sql.transaction(async (tx) => {
      const dead = await tx.query<{ id: string }>({
        name: 'keyfare_dead_replicas',
        text: `
          delete from keyfare.replica where id in (
            select id from keyfare.replica where expires_at < now() order by id for update skip locked)
          returning id`,
      });
      const ids = dead.map(({ id }) => id);
      await this.meter.sweep(tx);
      return this.payments.sweep(tx, ids);
    });
    await this.settlements.follow(unfollowed);
    for (const row of await this.payments.unserved()) await this.later.oweRefund(row, 'not-served');
  }
}
