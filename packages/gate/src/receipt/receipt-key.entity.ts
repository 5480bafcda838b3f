import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A public key that receipts were ever signed with. It stays published for as long as a receipt may be checked. */
@Entity({ name: 'receipt_key' })
export class ReceiptKeyEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'receipt_key_pk' })
  kid: string;

  @Column({ type: 'jsonb' })
  jwk: { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; use: 'sig' };

  @Column(timeColumn)
  createdAt: Date;
}
