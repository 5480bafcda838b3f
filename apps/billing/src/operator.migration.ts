import { createChangeTables } from '@keyfare/gate/operators';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole, schema } from './schema.js';

/** What operators change in the books, and the answers that a request with the same `Idempotency-Key` gets again. */
export class AuditChanges1797000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await createChangeTables(queryRunner, schema, billingRole);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
