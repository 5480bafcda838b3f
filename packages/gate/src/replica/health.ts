import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { Networks } from '../networks.js';
import { type ChainState, chainState } from '../other-chain.js';
import { atMostTwiceASecond } from '../server/watch.js';
import { ReplicaService } from './replica.service.js';

/** Whether the parts that calls need can be reached. */
export interface GateReadiness {
  /** Without it no call is served. */
  readonly database: 'up' | 'down';
  /** Without it keys are looked up in the database for every call. */
  readonly listener: 'up' | 'down';
  /** Without it, or where it is another chain, the x402 rail answers 503; the key rail is not concerned. */
  readonly chain: ChainState;
}

/** Asks the parts how they are. */
@Injectable()
export class GateHealth {
  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaService,
    private readonly networks: Networks,
  ) {}

  /** As of half a second ago at most. */
  readonly readiness = atMostTwiceASecond(() => this.#ask());

  async #ask(): Promise<GateReadiness> {
    const [database, chain] = await Promise.all([
      isUp(this.sql.query({ text: 'select 1' })),
      chainState(this.networks.all.map((access) => access.chain)),
    ]);
    return { database, listener: this.replica.listening ? 'up' : 'down', chain };
  }
}

async function isUp(question: Promise<unknown>): Promise<'up' | 'down'> {
  return question.then(
    () => 'up' as const,
    () => 'down' as const,
  );
}
