import { fromRlp, type Hex } from 'viem';

/** A transfer by authorization, as its calldata says. `value` and `nonce` are 32-byte words. */
export interface Transfer {
  readonly asset: string;
  readonly from: string;
  readonly to: string;
  readonly value: Hex;
  readonly nonce: Hex;
}

export interface RawTransaction {
  readonly nonce: number;
  readonly to: string;
  readonly transfers: readonly Transfer[];
}

/**
 * Takes an EIP-1559 transaction apart: `transferWithAuthorization`, or `aggregate3` of several. Signatures go unread.
 */
export function readTransaction(raw: Hex): RawTransaction {
  const fields = fromRlp(`0x${raw.slice(4)}`, 'hex') as readonly Hex[];
  const [, nonce = '0x', , , , to = '0x', , data = '0x'] = fields;
  const transfers = data.startsWith('0x82ad56cb') ? readBatch(data) : [readTransfer(to, data.slice(2))];
  return { nonce: nonce === '0x' ? 0 : Number(nonce), to, transfers };
}

/** `digits` are the selector and seven words or more. */
function readTransfer(asset: string, digits: string): Transfer {
  const word = (index: number): string => digits.slice(8 + index * 64, 72 + index * 64);
  const address = (index: number): string => `0x${word(index).slice(24)}`;
  return { asset, from: address(0), to: address(1), value: `0x${word(2)}`, nonce: `0x${word(5)}` };
}

/** The rows of `aggregate3((address target, bool allowFailure, bytes callData)[])`. */
function readBatch(data: string): Transfer[] {
  const body = data.slice(10 + 64);
  const number = (at: number): number => Number.parseInt(body.slice(at, at + 64), 16);
  return Array.from({ length: number(0) }, (_, index) => {
    const row = 64 + number(64 + index * 64) * 2;
    const bytes = row + number(row + 128) * 2;
    return readTransfer(`0x${body.slice(row + 24, row + 64)}`, body.slice(bytes + 64, bytes + 64 + number(bytes) * 2));
  });
}
