import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A customer who has signed in with a key, for a short time. */
@Entity({ name: 'customer_session' })
@Check('customer_session_hash', 'octet_length(token_hash) = 32')
@Index('customer_session_end', ['expiresAt'])
export class CustomerSessionEntity {
  /** SHA-256 of the token in the cookie. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'customer_session_pk' })
  tokenHash: Buffer;

  @Column({ type: 'text' })
  account: string;

  /** The key that was shown, under a key made of the token: with what is here alone nobody opens it. */
  @Column({ type: 'bytea' })
  sealedKey: Buffer;

  /** When the API last said that the key is good. */
  @Column(timeColumn)
  checkedAt: Date;

  @Column(timeColumn)
  expiresAt: Date;
}
