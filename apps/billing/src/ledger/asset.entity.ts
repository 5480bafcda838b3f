import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** What the ledger can count, in smallest units of which `decimals` make one. Append-only. */
@Entity({ name: 'asset' })
@Check('asset_decimals', 'decimals between 0 and 36')
@Check('asset_kind', `kind in ('fiat', 'token', 'native')`)
export class AssetEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'asset_pk' })
  code: string;

  @Column({ type: 'smallint' })
  decimals: number;

  @Column({ type: 'text' })
  kind: 'fiat' | 'token' | 'native';
}
