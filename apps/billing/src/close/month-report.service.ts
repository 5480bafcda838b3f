import { Problem } from '@keyfare/core/problem';
import { type Clock, formatMonth, type Period } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { clock, reportPool } from '../tokens.js';
import { digestOf, readWallets, type WalletMonth } from './month-report.js';

/** The report of a month, and who answers for it. */
export interface SignedReport {
  readonly month: string;
  readonly wallets: readonly WalletMonth[];
  readonly digest: string;
  /** The last one; null where nobody has signed. */
  readonly signedOff: {
    readonly at: Date;
    readonly operator: { readonly id: string; readonly name: string };
    readonly digest: string;
  } | null;
}

interface SignOffRow {
  readonly at: Date;
  readonly operator_id: string;
  readonly operator_name: string;
  readonly digest: string;
}

/** What finance reports of a month, wallet by wallet, and signs. */
@Injectable()
export class MonthReportService {
  constructor(
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  async read(period: Period, sql: Sql = this.sql): Promise<SignedReport> {
    const month = formatMonth(period);
    const wallets = await readWallets(sql, period);
    const [row] = await sql.query<SignOffRow>({
      text: `select at, operator_id, operator_name, digest from billing.month_sign_off
        where month = ($1::timestamptz at time zone 'utc')::date order by id desc limit 1`,
      values: [period.start],
    });
    const signedOff = row && {
      at: row.at,
      operator: { id: row.operator_id, name: row.operator_name },
      digest: row.digest,
    };
    return { month, wallets, digest: digestOf(month, wallets), signedOff: signedOff ?? null };
  }

  /** 409 `month/conflict` when the figures are no longer those of `digest`, and while the month goes on. */
  async signOff(
    tx: Sql,
    period: Period,
    { digest, by }: { readonly digest: string; readonly by: { readonly id: string; readonly name: string } },
  ): Promise<SignedReport> {
    if (this.now() < period.end) throw new Problem('month/conflict', 'The month is not over.');
    const { month, wallets, digest: current } = await this.read(period, tx);
    if (digest !== current) {
      throw new Problem('month/conflict', 'The figures are others by now: read the report, and sign what it says.');
    }
    await tx.query({
      text: `insert into billing.month_sign_off (month, digest, at, operator_id, operator_name, report)
        values (($1::timestamptz at time zone 'utc')::date, $2, $3, $4, $5, $6)`,
      values: [period.start, digest, this.now(), by.id, by.name, JSON.stringify({ month, wallets })],
    });
    return this.read(period, tx);
  }
}
