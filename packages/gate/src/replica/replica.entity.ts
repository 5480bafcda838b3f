import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A running process of the gate. */
@Entity({ name: 'replica' })
export class ReplicaEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'replica_pk' })
  id: string;

  @Column(timeColumn)
  startedAt: Date;

  /** Renewed while the process lives. After this moment others may take back what it held. */
  @Column(timeColumn)
  expiresAt: Date;
}
