import { Entity, PrimaryColumn } from 'typeorm';

const key = { type: 'text', primaryKeyConstraintName: 'open_payment_pk' } as const;

/**
 * The key of a payment of which something is open: a side is missing, or the sides differ in amount or in number. Kept
 * in the transactions that write either side, so that what is open is found without looking at what is not.
 */
@Entity({ name: 'open_payment' })
export class OpenPaymentEntity {
  @PrimaryColumn(key)
  network: string;

  @PrimaryColumn(key)
  asset: string;

  @PrimaryColumn(key)
  payer: string;

  @PrimaryColumn(key)
  nonce: string;
}
