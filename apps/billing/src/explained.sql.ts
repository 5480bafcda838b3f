/**
 * SQL for whether a transfer to a wallet of ours needs no entry that records it: it came from another wallet of ours,
 * is another service's, is dust, or is of a time in which the wallet was not ours. `t` has the columns of a row of
 * `billing.chain_transfer`.
 */
export function explainedSql(t: string): string {
  const kindOf = (address: string): string => `(select w.kind from billing.wallet w
    where w.network = ${t}.network and w.address = ${t}.${address} and w.since <= ${t}.block_time)`;
  return `(${t}.dust or ${notOursSql(t)}
    or ${t}.from_address <> ${t}.to_address and coalesce(
      ${kindOf('from_address')} <> 'other' or ${kindOf('sender')} = 'service', false))`;
}

/** SQL for whether the wallet that was read was not ours when it moved: it has a name that says so. */
export function notOursSql(t: string): string {
  return `exists (select 1 from billing.wallet w where w.network = ${t}.network and w.address = ${t}.pay_to
    and (w.kind in ('service', 'other') or w.since > ${t}.block_time))`;
}
