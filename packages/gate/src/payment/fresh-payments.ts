import type { PayerPrincipal } from '@keyfare/core/principal';
import { matchOffer, type PaymentTerms } from '@keyfare/core/x402';
import { GroupCommit } from '@keyfare/db/group-commit';
import { rows, texts } from '@keyfare/db/rows';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { Networks } from '../networks.js';
import { toProblem } from './answers.js';

interface Presentation {
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
}

const presented = rows<Presentation>({
  network: texts((one) => one.network),
  asset: texts((one) => one.asset),
  payer: texts((one) => one.payer),
  nonce: texts((one) => one.nonce),
});

/** Of these payments those that an exchange has claimed, and those of payers on the block list. */
const selectTaken = `
  select i.asset, i.payer, i.nonce from (select * from ${presented.source()}) i
  where exists (select 1 from keyfare.payment p
      where (p.network, p.asset, p.payer, p.nonce) = (i.network, i.asset, i.payer, i.nonce))
    or exists (select 1 from keyfare.blocked_payer b where b.payer = i.payer)`;

/** Tells payments that nobody has used, of wallets that could pay them. It claims nothing. */
@Injectable()
export class FreshPayments {
  readonly #reads: GroupCommit<Presentation, boolean>;

  constructor(
    private readonly config: GateConfig,
    sql: SqlPool,
    private readonly networks: Networks,
  ) {
    this.#reads = new GroupCommit({
      write: async (items) => {
        const taken = await sql.query<Presentation>({
          name: 'keyfare_taken_payments',
          text: selectTaken,
          values: presented.values(items),
        });
        const keys = new Set(taken.map(({ asset, payer, nonce }) => `${asset} ${payer} ${nonce}`));
        return items.map(({ asset, payer, nonce }) => !keys.has(`${asset} ${payer} ${nonce}`));
      },
      waitsInDoubt: false,
    });
  }

  /**
   * Whether the payer's key signed a payment for one of these offers that neither we nor the chain have seen used, and
   * the wallet has the money. False for any other: `PaymentService.hold` says what is wrong with it. 503 when the
   * database or the node cannot be asked. A used authorization is public, so it proves nothing of who presents it.
   */
  async isFresh({ payer, network, payment }: PayerPrincipal, terms: readonly PaymentTerms[]): Promise<boolean> {
    const { authorization, accepted, proof, asset } = payment;
    if (proof !== 'key' || asset === null) return false;
    const question = { authorization, network, asset: asset.address, accepted, now: this.config.clock() };
    if (!matchOffer(question, terms).ok) return false;
    const { nonce, value } = authorization;
    const [isUnclaimed, state] = await Promise.all([
      this.#reads.commit({ network, asset: asset.address, payer, nonce }),
      this.networks.get(network).chain.readPayer({ asset: asset.address, payer, nonce }),
    ]).catch((error: unknown) => {
      throw toProblem(error);
    });
    return isUnclaimed && !state.authorizationUsed && state.balance >= value;
  }

  async close(): Promise<void> {
    await this.#reads.close();
  }
}
