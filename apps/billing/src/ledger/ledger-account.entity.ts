import type { LedgerAssetCode } from '@keyfare/core/money';
import { Check, Column, Entity, ForeignKey, PrimaryColumn, Unique } from 'typeorm';
import { AssetEntity } from './asset.entity.js';

/** An account of the ledger. It counts one asset and is never closed. Append-only. */
@Entity({ name: 'ledger_account' })
@Unique('ledger_account_asset', ['code', 'asset'])
@Check('ledger_account_type', `type in ('asset', 'liability', 'equity', 'income', 'expense')`)
export class LedgerAccountEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'ledger_account_pk' })
  code: string;

  @ForeignKey(() => AssetEntity, { name: 'ledger_account_known_asset' })
  @Column({ type: 'text' })
  asset: LedgerAssetCode;

  @Column({ type: 'text' })
  type: 'asset' | 'liability' | 'equity' | 'income' | 'expense';
}
