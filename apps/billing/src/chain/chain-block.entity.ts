import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A header of the chain as it was read: by these a reorganization is seen, and where the common past ends. */
@Entity({ name: 'chain_block' })
export class ChainBlockEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'chain_block_pk' })
  watch: string;

  @PrimaryColumn({ ...bigintColumn, primaryKeyConstraintName: 'chain_block_pk' })
  number: bigint;

  @Column({ type: 'text' })
  hash: string;

  @Column(timeColumn)
  time: Date;
}
