import type { TokenCode } from '@keyfare/core/money';
import { findNetwork, findToken, networks } from '@keyfare/core/x402';

/** Where a token stands: its network (CAIP-2) and its contract, lower-case. */
export interface TokenPlace {
  readonly network: string;
  readonly asset: string;
}

/** What is counted for the token; null for one that is not known, of which nothing may go into the books. */
export function findCode({ network: caip2, asset }: TokenPlace): TokenCode | null {
  const network = findNetwork(caip2);
  return network === null || network.caip2 !== caip2 ? null : (findToken(network, asset)?.symbol ?? null);
}

/** As `findCode`, of what the intake has let in. One that is not known is a bug: RangeError. */
export function codeOf(place: TokenPlace): TokenCode {
  const code = findCode(place);
  if (code === null) throw new RangeError(`the asset ${place.asset} of ${place.network} is not known`);
  return code;
}

/** SQL that tells what is counted for the token whose contract is in a column; null for one that is not known. */
export function codeSql(contract: string): string {
  const cases = networks.flatMap(({ tokens }) =>
    tokens.map(({ address, symbol }) => `when '${address}' then '${symbol}'`),
  );
  return `case ${contract} ${cases.join(' ')} end`;
}

/** SQL for what the names of ledger accounts have after their kind: nothing for USDC, else `-` and the token. */
export function suffixSql(code: string): string {
  return `case ${code} when 'USDC' then '' else '-' || lower(${code}) end`;
}
