import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guessCountry } from '../country.js';

/**
 * Sellers and customers have a country of their own. Those that there are get the one that e-invoices have told for
 * them: that of the last line of the address, or of the tax id.
 */
export class NameCountries1799000000963 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['seller', 'customer']) {
      await queryRunner.query(`
        alter table billing.${table} add column country text,
          add constraint ${table}_country check (country ~ '^[A-Z]{2}$')`);
      const rows = (await queryRunner.query(
        `select id, address, tax_id as "taxId" from billing.${table}`,
      )) as readonly { readonly id: string; readonly address: string; readonly taxId: string | null }[];
      for (const row of rows) {
        const country = guessCountry(row);
        if (country === null) continue;
        await queryRunner.query(`update billing.${table} set country = $2 where id = $1`, [row.id, country]);
      }
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
