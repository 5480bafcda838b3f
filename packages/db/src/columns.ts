import type { ColumnOptions, ValueTransformer } from 'typeorm';

/** Postgres sends `bigint` and `numeric` as text; here they are `bigint` and never pass through a `number`. */
export const bigintTransformer: ValueTransformer = {
  to: (value: bigint | null | undefined) => (typeof value === 'bigint' ? value.toString() : value),
  from: (value: string | null) => (value === null ? null : BigInt(value)),
};

/** A count that fits 64 bits: units, positions, block numbers. */
export const bigintColumn = { type: 'bigint', transformer: bigintTransformer } as const satisfies ColumnOptions;

/** An amount of an asset in its smallest unit; wide enough for a uint256. */
export const atomicColumn = {
  type: 'numeric',
  precision: 78,
  scale: 0,
  transformer: bigintTransformer,
} as const satisfies ColumnOptions;

/** A point in time, stored in UTC. */
export const timeColumn = { type: 'timestamptz' } as const satisfies ColumnOptions;
