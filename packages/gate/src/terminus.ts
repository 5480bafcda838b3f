import { Injectable, Module } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { GateHealth } from './replica/health.js';

/**
 * How the gate is, for `HealthCheckService.check` of `@nestjs/terminus`. The parts are asked at most twice a second,
 * however many ask.
 *
 * @example
 * this.health.check([() => this.gate.isReady('keyfare')])
 */
@Injectable()
export class GateHealthIndicator {
  constructor(
    private readonly health: GateHealth,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * Down when no call can be served; degraded for every other reason of `GateHealth`, such as a settler without gas
   * money.
   */
  async isReady<Key extends string>(key: Key): Promise<HealthIndicatorResult<Key>> {
    const { status, reasons, database, chain, listener } = await this.health.readiness();
    const session = this.indicators.check(key);
    const told = { database, chain, listener, reasons: [...reasons] };
    if (status === 'unavailable') return session.down(told);
    return status === 'ready' ? session.up(told) : session.degraded(told);
  }

  /** Down when the database cannot be reached: no call is served. */
  async hasDatabase<Key extends string>(key: Key): Promise<HealthIndicatorResult<Key>> {
    const { database } = await this.health.readiness();
    const session = this.indicators.check(key);
    return database === 'up' ? session.up() : session.down();
  }

  /** Down when a node does not answer, or answers for another chain: payments are refused with 503, keys go on. */
  async takesPayments<Key extends string>(key: Key): Promise<HealthIndicatorResult<Key>> {
    const { chain } = await this.health.readiness();
    const session = this.indicators.check(key);
    return chain === 'up' ? session.up() : session.down({ chain });
  }
}

/** Gives `GateHealthIndicator`. Beside `GateModule`, which must be global. */
@Module({
  imports: [TerminusModule],
  providers: [GateHealthIndicator],
  exports: [GateHealthIndicator, TerminusModule],
})
export class GateHealthModule {}
