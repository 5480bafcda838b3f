import { bigintColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A settler wallet. The row's lock is what makes its nonces be handed out one after the other. */
@Entity({ name: 'wallet' })
export class WalletEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_pk' })
  address: string;

  @Column(bigintColumn)
  nextNonce: bigint;
}
