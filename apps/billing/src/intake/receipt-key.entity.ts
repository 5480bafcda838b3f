import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A public key of the API, as it was first seen. Kept, so that receipts can be checked while the API is away. */
@Entity({ name: 'receipt_key' })
export class ReceiptKeyEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'receipt_key_pk' })
  kid: string;

  @Column({ type: 'jsonb' })
  jwk: { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; use: 'sig' };

  @Column(timeColumn)
  firstSeenAt: Date;
}
