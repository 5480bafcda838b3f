import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { clock } from '../tokens.js';
import { BreakEntity } from './break.entity.js';
import { resolveByOperator } from './breaks.sql.js';

/** What an operator changes. What is left out stays. */
export interface BreakChange {
  readonly owner?: string | null | undefined;
  /** A text resolves the break, null opens it again. */
  readonly resolution?: string | null | undefined;
  readonly note?: string | null | undefined;
}

/** Which breaks, and how many of them. */
export interface BreakQuery {
  readonly status?: 'open' | 'resolved' | undefined;
  readonly class?: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** The list of breaks, for those who work on it. */
@Injectable()
export class BreakService {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The oldest first. */
  async list({ status, class: name, limit, offset }: BreakQuery): Promise<readonly BreakEntity[]> {
    return this.dataSource.manager.find(BreakEntity, {
      where: { ...(status && { status }), ...(name && { class: name }) },
      order: { firstSeen: 'ASC', id: 'ASC' },
      take: limit,
      skip: offset,
    });
  }

  /** 404 `break/not-found`. */
  async find(id: string): Promise<BreakEntity> {
    const found = await this.dataSource.manager.findOneBy(BreakEntity, { id });
    if (found === null) throw new Problem('break/not-found');
    return found;
  }

  /** 404 `break/not-found`. */
  async change(id: string, { owner, resolution, note }: BreakChange): Promise<BreakEntity> {
    await this.dataSource.transaction(async (tx) => {
      if (resolution !== undefined) await tx.query(resolveByOperator, [id, this.now(), resolution]);
      const rest = { ...(owner !== undefined && { owner }), ...(note !== undefined && { note }) };
      if (Object.keys(rest).length > 0) await tx.update(BreakEntity, { id }, rest);
    });
    return this.find(id);
  }
}
