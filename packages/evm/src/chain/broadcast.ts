import type { Hex } from '@keyfare/core/encoding';
import { readBytes, readHash } from './decode.js';
import { isThrottled, NodeError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/**
 * What the node did with a signed transaction.
 * - `accepted`: it took it. `known`: it had it already.
 * - `nonce-too-low`: a transaction with this nonce is in a block: this one or another, its receipt tells.
 * - `outbid`: it holds another transaction with this nonce, and these fees are not enough above that one's.
 * - `underpaid`: the fees are below what it or the next block takes.
 * - `unfunded`: the sender's ether does not cover the gas.
 * - `rejected`: it will not take these bytes as they are.
 * - `unknown`: the node said something else; it may have taken them. Send the same bytes again.
 */
export type BroadcastOutcome =
  | { readonly status: 'accepted' | 'known' | 'nonce-too-low' }
  | { readonly status: 'outbid' | 'underpaid' | 'unfunded' | 'rejected' | 'unknown'; readonly message: string };

/** Sends signed transactions. The order of the outcomes is that of the transactions. See `Chain.broadcast`. */
export async function broadcast(rpc: Rpc, raws: readonly Hex[]): Promise<BroadcastOutcome[]> {
  const checked = raws.map((raw) => readBytes(raw, 'transaction'));
  return await Promise.all(
    checked.map(async (raw): Promise<BroadcastOutcome> => {
      try {
        readHash(await rpc.call('eth_sendRawTransaction', `["${raw}"]`), 'hash');
        return { status: 'accepted' };
      } catch (error) {
        if (error instanceof NodeError) return classify(error);
        throw toChainFailure(error);
      }
    }),
  );
}

/** Geth, reth, Erigon, Nethermind, Besu and anvil, in their words. There is no standard for them. */
const known = /already ?(known|imported|exists)|known transaction|already in (the )?(mem)?pool/i;
const nonceTooLow = /nonce (is )?too low|old ?nonce|nonce has already been used/i;
const outbid = /replacement|could not replace|replacing existing/i;
const underpaid = /underpriced|fee ?too ?low|gas price below|less than block base ?fee|fee cap less/i;
const unfunded = /insufficient ?funds|upfront cost|exceeds (account )?balance/i;
const rejections = [
  /fee cap|max fee per gas|tip above fee/i,
  /intrinsic gas|exceeds block gas limit|gas limit|gas ?too ?low/i,
  /invalid (sender|signature|chain ?id|transaction)|chain ?id/i,
  /not supported|rlp|decod|oversized|too large|only replay-protected/i,
];

function classify(error: NodeError): BroadcastOutcome {
  const { message } = error;
  if (isThrottled(error)) return { status: 'unknown', message };
  if (known.test(message)) return { status: 'known' };
  if (nonceTooLow.test(message)) return { status: 'nonce-too-low' };
  return { status: refusal(message), message };
}

/**
 * The order counts: "replacement transaction underpriced" says that there is another one, not that this is too cheap.
 */
function refusal(message: string): 'outbid' | 'underpaid' | 'unfunded' | 'rejected' | 'unknown' {
  if (outbid.test(message)) return 'outbid';
  if (unfunded.test(message)) return 'unfunded';
  if (underpaid.test(message)) return 'underpaid';
  return rejections.some((words) => words.test(message)) ? 'rejected' : 'unknown';
}
