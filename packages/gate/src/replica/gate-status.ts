import { findToken, type Network } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ListPool } from '../list-pool.js';
import { type NetworkAccess, Networks } from '../networks.js';
import { PaymentService } from '../payment/payment.service.js';
import { ReplicaId } from '../replica-id.js';
import { type Part, StatusPart } from '../status-part.js';
import type { Books, Gas } from './rail-state.js';
import { RailWatch } from './rail-watch.js';
import { ReplicaService } from './replica.service.js';

/** What a node says of its chain and of the wallet that settles there. */
interface NodeState {
  readonly block: bigint;
  readonly blockAt: Date;
  /** Wei that the next block asks for one gas, with a tip. */
  readonly gasPrice: bigint;
  /** How many transactions of the wallet are in blocks. */
  readonly walletNonce: number;
}

interface DatabaseState {
  /** Of each wallet, the nonce that its next transaction gets. */
  readonly nonces: readonly { readonly network: string; readonly address: string; readonly next_nonce: string }[];
  /** What all payers have open in deferred payments. */
  readonly totals: readonly { readonly network: string; readonly asset: string; readonly open: string }[];
  /** Who has the most open, in payments of all flows. */
  readonly payers: readonly {
    readonly network: string;
    readonly asset: string;
    readonly payer: string;
    readonly open: string;
  }[];
  readonly blocked: readonly { readonly payer: string; readonly reason: string; readonly blocked_at: Date }[];
  readonly blockedCount: number;
  readonly sequencer: {
    /** Null where its lease is over. */
    readonly holder: string | null;
    readonly last_place: string;
    readonly as_of: Date;
    readonly delay_ms: number;
  } | null;
  readonly replicas: number;
}

interface NetworkState {
  readonly access: NetworkAccess;
  readonly node: Part<NodeState>;
  readonly gas: Gas | undefined;
}

/** Everything that a process of the gate knows of how it and the rail are. */
export interface GateState {
  readonly replica: string;
  readonly isListening: boolean;
  readonly database: Part<DatabaseState>;
  /** Undefined while the database has not said it for a minute. */
  readonly books: Books | undefined;
  readonly networks: readonly NetworkState[];
  readonly settlers: Awaited<ReturnType<RailWatch['look']>>['settlers'];
  readonly breaker: Awaited<ReturnType<RailWatch['look']>>['breaker'];
  readonly refusedPayers: ReturnType<PaymentService['breaker']['open']>;
}

const mostPayers = 20;
const mostBlocked = 100;

/** How the gate is, for those who operate it: each source asked by itself, for two seconds at most. */
@Injectable()
export class GateStatus {
  readonly #database = new StatusPart(() => this.#readDatabase());
  readonly #nodes: ReadonlyMap<NetworkAccess, StatusPart<NodeState>>;

  constructor(
    private readonly config: GateConfig,
    private readonly lists: ListPool,
    private readonly replica: ReplicaId,
    private readonly replicas: ReplicaService,
    private readonly watch: RailWatch,
    private readonly payments: PaymentService,
    networks: Networks,
  ) {
    this.#nodes = new Map(networks.all.map((access) => [access, new StatusPart(async () => readNode(access))]));
  }

  /** Never rejects. */
  async read(): Promise<GateState> {
    const [database, rail, ...networks] = await Promise.all([
      this.#database.read(),
      this.watch.look(),
      ...[...this.#nodes].map(async ([access, node]) => ({ access, node: await node.read() })),
    ]);
    return {
      replica: this.replica.id,
      isListening: this.replicas.listening,
      database,
      books: rail.books,
      networks: networks.map(({ access, node }) => ({
        access,
        node,
        gas: rail.gas.get(access.settings.network.caip2),
      })),
      settlers: rail.settlers,
      breaker: rail.breaker,
      refusedPayers: this.payments.breaker.open(mostPayers),
    };
  }

  /** What may be open in a token, altogether and of one payer, in its smallest unit; null where nothing may be. */
  limitsOf(network: Network, asset: string): { readonly total: bigint | null; readonly perPayer: bigint | null } {
    const token = findToken(network, asset);
    const { maxPerPayer = null, maxTotal = null } = token === null ? {} : this.config.deferred.limits[token.symbol];
    return { total: maxTotal, perPayer: maxPerPayer };
  }

  async #readDatabase(): Promise<DatabaseState> {
    const { lists } = this;
    const nonces = await lists.query<DatabaseState['nonces'][number]>({
      text: 'select network, address, next_nonce from keyfare.wallet order by network, address limit 100',
    });
    const totals = await lists.query<DatabaseState['totals'][number]>({
      text: 'select network, asset, open::text from keyfare.open_total order by network, asset limit 100',
    });
    const payers = await lists.query<DatabaseState['payers'][number]>({
      text: `select network, asset, payer, open::text from keyfare.payer_exposure where open > 0
        order by payer_exposure.open desc, payer limit $1`,
      values: [mostPayers],
    });
    const blocked = await lists.query<DatabaseState['blocked'][number] & { readonly count: number }>({
      text: `select payer, reason, blocked_at, count(*) over ()::int as count from keyfare.blocked_payer
        order by blocked_at desc, payer limit $1`,
      values: [mostBlocked],
    });
    const [sequencer] = await lists.query<NonNullable<DatabaseState['sequencer']>>({
      text: `select case when expires_at > clock_timestamp() then holder end as holder, next_place - 1 as last_place, as_of,
          greatest(0, extract(epoch from clock_timestamp() - as_of) * 1000)::float8 as delay_ms
        from keyfare.sequencer`,
    });
    const [living] = await lists.query<{ count: number }>({
      text: 'select count(*)::int as count from keyfare.replica where expires_at > clock_timestamp()',
    });
    return {
      nonces,
      totals,
      payers,
      blocked,
      blockedCount: blocked[0]?.count ?? 0,
      sequencer: sequencer ?? null,
      replicas: living?.count ?? 0,
    };
  }
}

async function readNode({ chain, wallet }: NetworkAccess): Promise<NodeState> {
  const [head, fees, walletNonce] = await Promise.all([
    chain.head(),
    chain.fees(),
    chain.transactionCount(wallet.address),
  ]);
  return {
    block: head.number,
    blockAt: new Date(Number(head.timestamp) * 1_000),
    gasPrice: fees.baseFeePerGas + fees.maxPriorityFeePerGas,
    walletNonce,
  };
}
