// `node scripts/prove-books.mjs`: works out from the API's log and from the chain what the books must say, and compares.
// It shares no code with billing: plain SQL, JSON-RPC, and the rules as docs/decisions/0016 and 0017 state them. Prints
// each figure that differs, then `N figures, M differences`; `--json` prints an object. Status 1 when one differs, 2 when
// something could not be read. docs/proving-the-books.md says what it needs and what it proves.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { Client, types } from 'pg';

const env = (name, otherwise) => {
  const value = process.env[name] || otherwise;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};
const sum = (values) => values.reduce((total, value) => total + value, 0n);
const isBefore = (one, other) => {
  for (const [index, value] of one.entries()) if (value !== other[index]) return value < other[index];
  return false;
};

const atomic = (text) => BigInt(text.replace('.', ''));

/** Figures by name: amounts and counts that are added up. */
class Figures extends Map {
  add(name, amount) {
    this.set(name, (this.get(name) ?? 0n) + BigInt(amount));
  }
}

// What was read of the two sources: the cut up to which everything is compared.

async function readCut(books) {
  const [cursor] = (await books.query(`select place from billing.feed_cursor where feed = 'api'`)).rows;
  const tills = (await books.query('select * from billing.chain_cursor order by watch')).rows;
  const readmitted = (await books.query('select place, after_place, nth from billing.readmission')).rows;
  const turns = new Map(readmitted.map(({ place, after_place, nth }) => [place, [BigInt(after_place), BigInt(nth)]]));
  // What contracts have agreed on is in no log: the books are its source.
  const prices = await books.query(
    `select c.account, c.ends_at, p.sku, p.unit_price, p.valid_from
      from billing.contract_price p join billing.contract c on c.id = p.contract_id order by p.valid_from`,
  );
  return { place: BigInt(cursor?.place ?? 0), tills, turns, prices: prices.rows };
}

// The log.

async function readKeys() {
  const response = await fetch(env('API_JWKS_URL'));
  if (!response.ok) throw new Error(`the keys of the API: status ${response.status}`);
  const { keys } = await response.json();
  return new Map(keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]));
}

/** What a row of the log says, if it was signed so and nothing beside it says otherwise; else null. */
function genuine(row, keys) {
  if (row.jws === null || !createHash('sha256').update(row.jws).digest().equals(row.digest)) return null;
  const [header, payload, signature] = row.jws.split('.');
  const { kid, typ, alg } = JSON.parse(Buffer.from(header, 'base64url'));
  const key = keys.get(kid);
  if (alg !== 'EdDSA' || typ !== `keyfare-${row.kind === 'call' ? 'receipt' : row.kind}+jws` || key === undefined)
    return null;
  if (!verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) return null;
  const said = JSON.parse(Buffer.from(payload, 'base64url'));
  const principal = { call: said.principal, terms: said.account }[row.kind] ?? said.payer;
  if (said.id !== row.id || principal !== row.principal) return null;
  return row.kind !== 'call' || isUsageOf(row, said) ? said : null;
}

function isUsageOf(row, said) {
  const account = said.rail === 'key' ? said.principal : (said.account ?? null);
  const payer = said.rail === 'key' ? null : said.principal;
  const at = row.usage_occurred_at;
  if (at === null || row.usage_period_start === null) return false;
  // The id is a UUIDv7: it begins with the millisecond of the call.
  const opened = row.id[14] === '7' ? Number.parseInt(row.id.slice(0, 8) + row.id.slice(9, 13), 16) : at.getTime();
  return (
    [row.usage_rail, row.usage_account, row.usage_payer, row.usage_sku, row.usage_units].join() ===
      [said.rail, account, payer, said.sku, said.units].join() &&
    opened === at.getTime() &&
    row.usage_period_start.getTime() === Date.UTC(at.getUTCFullYear(), at.getUTCMonth())
  );
}

/** Genuine entries in the order in which the books take them: that of the log, and readmitted ones after it. */
async function readEntries(log, { place, turns }) {
  const keys = await readKeys();
  const entries = [];
  for (let after = 0n; after < place; ) {
    const { rows } = await log.query({
      text: 'select * from keyfare.entry_feed where place > $1 and last_place > $1 and place <= $2 order by place limit 5000',
      values: [after.toString(), place.toString()],
    });
    for (const row of rows) {
      const said = genuine(row, keys);
      if (said !== null) entries.push({ ...row, said, turn: turns.get(row.place) ?? [BigInt(row.place), 0n] });
    }
    if (rows.length === 0) break;
    after = BigInt(rows.at(-1).place);
  }
  return entries.toSorted((a, b) => (isBefore(a.turn, b.turn) ? -1 : 1));
}

// Rating.

const termsRank = ({ said, place }) => [BigInt(said.revision ?? 0), BigInt(said.effectiveAt), BigInt(place)];

/** Of the terms that apply at a time the last one; before the first ones apply, those. */
function termsAt(book, at) {
  const applying = book.filter(({ said }) => said.effectiveAt * 1000 <= at.getTime());
  const [from, isBetter] = applying.length > 0 ? [applying, (a, b) => isBefore(b, a)] : [book, isBefore];
  return from.reduce(
    (best, terms) => (best === undefined || isBetter(termsRank(terms), termsRank(best)) ? terms : best),
    undefined,
  );
}

/** A call by key: null for one that nothing is sold to. `used` is what its month had used before. */
function rateCall({ usage_occurred_at: at, usage_account: account, usage_units, said }, book, { used, prices }) {
  const terms = termsAt(book, at)?.said;
  if (terms === undefined || (terms.endsAt !== undefined && at.getTime() >= terms.endsAt * 1000)) return null;
  const left = BigInt(terms.includedUnits) - used;
  const units = BigInt(usage_units);
  const included = left <= 0n ? 0n : left < units ? left : units;
  const agreed = prices.filter(
    (price) =>
      price.account === account && price.sku === said.sku && price.valid_from <= at && at < (price.ends_at ?? Infinity),
  );
  const own = agreed.at(-1)?.unit_price ?? terms.overagePrice;
  const price = terms.overage === 'invoice' ? BigInt(own) : 0n;
  return { included, overage: units - included, price, amount: (units - included) * price };
}

/** Every charge that the entries come to, and what became of each payment. */
function walk(entries, codeOf, prices) {
  const [books, used, charges, payments] = [new Map(), new Map(), [], new Map()];
  for (const entry of entries) {
    const { said, kind, usage_account: account, usage_period_start: month } = entry;
    if (kind === 'terms') books.set(said.account, [...(books.get(said.account) ?? []), entry]);
    else if (kind === 'call' && said.rail === 'key') {
      const key = `${account} ${month.toISOString()}`;
      const rated = rateCall(entry, books.get(account) ?? [], { used: used.get(key) ?? 0n, prices });
      if (rated === null) continue;
      used.set(key, (used.get(key) ?? 0n) + BigInt(entry.usage_units));
      charges.push({ entry, asset: 'USD', ...rated });
    } else if (kind === 'call') {
      const paid =
        said.rail === 'x402'
          ? { asset: codeOf(said.asset), amount: BigInt(said.amount) }
          : { asset: 'USD', amount: 0n };
      charges.push({ entry, included: 0n, overage: 0n, price: null, ...paid });
      if (said.rail === 'x402') payments.set(entry.id, begin(entry, said.settlement));
    } else if (kind === 'refund-due') payments.set(entry.id, begin(entry, 'owed'));
    else goOn(payments.get(said.call), entry);
  }
  return { charges, payments: [...payments.values()] };
}

const begin = ({ said, place }, state) => ({
  said,
  place: BigInt(place),
  first: state,
  state,
  transaction: said.transaction ?? null,
  drops: 0,
});

const samePayment = ['network', 'asset', 'payer', 'nonce', 'payTo', 'amount'];

/** The later life of a payment (docs/decisions/0024): what cannot follow is no part of it. */
function goOn(payment, { kind, said }) {
  if (payment === undefined || samePayment.some((name) => payment.said[name] !== said[name])) return;
  const { first, state, transaction } = payment;
  const isOpen = state === 'deferred' || state === 'dropped';
  if (kind === 'settlement' && state !== 'given-up' && (isOpen || transaction !== said.transaction)) {
    Object.assign(payment, { state: first === 'deferred' ? 'collected' : first, transaction: said.transaction });
  } else if (kind === 'reversed' && !isOpen && state !== 'given-up' && transaction === said.transaction) {
    if (first === 'deferred') Object.assign(payment, { state: 'deferred', transaction: null });
    else payment.state = 'dropped';
  } else if (kind === 'unpaid' && (state === 'deferred' || (state === 'dropped' && first === 'settled'))) {
    payment.state = 'given-up';
  }
}

// The chain.

async function rpc(method, params) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const response = await fetch(env('RPC_URL'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const { result, error } = await response.json();
  if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  return result;
}

// keccak256 of Transfer(address,address,uint256) and of AuthorizationUsed(address,bytes32); the selector of symbol().
const transferTopic = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const usedTopic = '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5';
const symbolSelector = '0x95d89b41';
const hex = (number) => `0x${number.toString(16)}`;
const addressOf = (topic) => `0x${topic.slice(26)}`;

async function readSymbol(token) {
  const answer = Buffer.from((await rpc('eth_call', [{ to: token, data: symbolSelector }, 'latest'])).slice(2), 'hex');
  return answer.subarray(64, 64 + answer.readUInt32BE(60)).toString();
}

/** Logs of a token, in halves where the node refuses so many blocks at once. */
async function readLogs(token, topics, from, to) {
  if (from > to) return [];
  try {
    return await rpc('eth_getLogs', [{ address: token, topics, fromBlock: hex(from), toBlock: hex(to) }]);
  } catch (error) {
    if (from === to) throw error;
    const middle = (from + to) / 2n;
    return [...(await readLogs(token, topics, from, middle)), ...(await readLogs(token, topics, middle + 1n, to))];
  }
}

/** The transfers of a till, each with the authorization that was used right before it in its transaction. */
async function readTransfers({ asset: token, pay_to: till, start_block, block_number }) {
  const logs = await readLogs(token, [[transferTopic, usedTopic]], BigInt(start_block), BigInt(block_number));
  const transfers = [];
  let used = null;
  for (const { topics, data, transactionHash: transaction } of logs) {
    if (topics[0] === usedTopic) used = { transaction, authorizer: addressOf(topics[1]), nonce: topics[2] };
    else {
      const [from, to] = [addressOf(topics[1]), addressOf(topics[2])];
      const isUsed = used !== null && used.transaction === transaction && used.authorizer === from;
      if (from === till || to === till)
        transfers.push({ from, to, value: BigInt(data), transaction, nonce: isUsed ? used.nonce : null });
      used = null;
    }
  }
  return transfers;
}

// What the books must say, by the two sources; and what they say.

async function expect(log, cut) {
  const figures = new Figures();
  const codes = new Map();
  for (const { asset } of cut.tills) codes.set(asset, await readSymbol(asset));
  const entries = await readEntries(log, cut);
  const { charges, payments } = walk(entries, (token) => codes.get(token), cut.prices);
  for (const charge of charges) addCharge(figures, charge);
  const suffix = (token) => (codes.get(token) === 'USDC' ? '' : `-${codes.get(token)?.toLowerCase()}`);
  const claims = new Map();
  for (const payment of payments) addPayment(figures, payment, { suffix: suffix(payment.said.asset), claims });
  for (const till of cut.tills) {
    const code = codes.get(till.asset);
    const account = `${code.toLowerCase()}:${till.network}:${till.pay_to}`;
    figures.add(`balance ${account}`, till.opening_balance ?? 0);
    for (const transfer of await readTransfers(till)) {
      addTransfer(figures, transfer, { till, account, claims, suffix: suffix(till.asset) });
    }
  }
  return { figures, charges };
}

function addCharge(figures, { entry, asset, included, overage, amount }) {
  const {
    usage_rail: rail,
    usage_account: account,
    usage_payer: payer,
    usage_sku: sku,
    usage_period_start: month,
  } = entry;
  const name = `${month.toISOString().slice(0, 7)} ${rail} ${account ?? payer} ${sku} ${asset}`;
  figures.add(`calls ${name}`, 1);
  figures.add(`units ${name}`, entry.usage_units);
  figures.add(`included ${name}`, included);
  figures.add(`overage ${name}`, overage);
  figures.add(`charged ${name}`, amount);
  const suffix = asset === 'EURC' ? '-eurc' : '';
  figures.add(`balance revenue${suffix}:${rail}:${sku}`, -amount);
  if (rail === 'key') figures.add(`balance unbilled-receivable:${account}`, amount);
}

function addPayment(figures, { said, place, first, state }, { suffix, claims }) {
  const amount = BigInt(said.amount);
  const key = [said.network, said.asset, said.payer, said.nonce].join();
  const known = claims.get(key);
  const isClaim = { settled: 'x402', owed: 'x402', deferred: 'deferred', collected: 'deferred' }[state] ?? null;
  if (known === undefined || place < known.place) claims.set(key, { place, receivable: isClaim });
  const receivable = `balance ${first === 'deferred' ? 'deferred' : 'x402'}-receivable${suffix}:${said.network}`;
  const isGone = state === 'dropped' || state === 'given-up';
  figures.add(receivable, isGone ? 0 : amount);
  if (first === 'deferred') figures.add(`balance uncollected${suffix}`, isGone ? amount : 0);
  // A payment that the chain dropped has earned nothing.
  else if (first === 'settled' && isGone) figures.add(`balance revenue${suffix}:x402:${said.sku}`, amount);
}

function addTransfer(figures, { from, to, value, nonce }, { till, account, claims, suffix }) {
  const name = `${till.network} ${till.pay_to} ${till.asset}`;
  figures.add(`transfers ${name}`, 1);
  if (to === till.pay_to) figures.add(`received ${name}`, value);
  if (from === till.pay_to) figures.add(`sent ${name}`, value);
  if (from !== to) figures.add(`balance ${account}`, to === till.pay_to ? value : -value);
  const claim = claims.get([till.network, till.asset, from, nonce].join());
  if (to === till.pay_to && nonce !== null && claim?.receivable) {
    figures.add(`balance ${claim.receivable}-receivable${suffix}:${till.network}`, -value);
  }
}

const chargeFigures = `
  select concat_ws(' ', to_char(period_start at time zone 'UTC', 'YYYY-MM'), rail, coalesce(account, payer), sku, asset) as name,
    count(*) as calls, sum(units) as units, sum(included) as included, sum(overage) as overage, sum(amount) as charged
  from billing.charge group by 1`;
const transferFigures = `
  select concat_ws(' ', network, pay_to, asset) as name, count(*) as transfers,
    sum(value) filter (where to_address = pay_to) as received, sum(value) filter (where from_address = pay_to) as sent
  from billing.chain_transfer where orphaned_at is null group by 1`;
// What operators have posted by resolutions of breaks is theirs, and in no source.
const balanceFigures = `
  select account as name, sum(amount) as balance
  from (
    select m.journal_id, m.debit as account, m.amount from billing.movement m
    union all select m.journal_id, m.credit, -m.amount from billing.movement m) as lines
  join billing.journal j on j.id = lines.journal_id
  where j.source not like 'break:%' and account ~ '^(revenue(-eurc)?:(key|x402):|unbilled-receivable:|x402-receivable|deferred-receivable|uncollected|usdc:|eurc:)'
  group by 1`;

async function readBooks(books) {
  const figures = new Figures();
  for (const text of [chargeFigures, transferFigures, balanceFigures]) {
    for (const { name, ...amounts } of (await books.query(text)).rows) {
      for (const [what, amount] of Object.entries(amounts)) figures.add(`${what} ${name}`, amount ?? 0);
    }
  }
  return figures;
}

// Invoices: each frozen one against the charges that the log comes to.

async function proveInvoices(books, { charges, figures, said }) {
  const byId = new Map(
    charges.filter(({ entry }) => entry.usage_rail === 'key').map((charge) => [charge.entry.id, charge]),
  );
  const { rows: invoices } = await books.query(
    `select i.*, coalesce((select sum(n.total_cents * 10000 - n.to_credit) from billing.credit_note n where n.invoice_id = i.id), 0)
        as noted,
      (select array_agg(l.entry_id::text) from billing.invoice_late l where l.invoice_id = i.id) as late,
      (select array_agg(r.entry_id::text) from billing.readmission r where r.after_invoice = i.id) as missed,
      (select json_agg(l) from (
        select kind, quantity::text, amount::text from billing.invoice_line where invoice_id = i.id) as l) as lines
    from billing.invoice i where document is not null and state <> 'void'`,
  );
  const taken = new Map(invoices.flatMap(({ id, late }) => (late ?? []).map((entry) => [entry, id])));
  const on = new Map();
  for (const invoice of invoices) {
    const own = [...byId.values()].filter(
      ({ entry }) =>
        entry.usage_account === invoice.account &&
        entry.usage_occurred_at >= invoice.period_start &&
        entry.usage_occurred_at < invoice.period_end &&
        BigInt(entry.place) <= BigInt(invoice.up_to_place) &&
        !taken.has(entry.id) &&
        !(invoice.missed ?? []).includes(entry.id),
    );
    const late = (invoice.late ?? []).flatMap((entry) => byId.get(entry) ?? []);
    const all = [...own, ...late].toSorted((a, b) => (BigInt(a.entry.place) < BigInt(b.entry.place) ? -1 : 1));
    for (const { entry } of all) on.set(entry.id, [...(on.get(entry.id) ?? []), invoice.number]);
    proveInvoice(invoice, all, { figures, said });
    figures.add(`balance unbilled-receivable:${invoice.account}`, -sum(all.map(({ amount }) => amount)));
  }
  figures.add('charges on two invoices', 0);
  said.add('charges on two invoices', [...on.values()].filter((numbers) => numbers.length > 1).length);
  await proveReceivables(books, { invoices, figures, said });
}

function proveInvoice({ number, receipts, entries_digest, total, lines }, charges, { figures, said }) {
  const usage = (lines ?? []).filter(({ kind }) => kind === 'included' || kind === 'overage');
  const units = (kind) => sum(usage.filter((line) => line.kind === kind).map(({ quantity }) => BigInt(quantity)));
  const digest = createHash('sha256')
    .update(charges.map(({ entry }) => entry.id).join())
    .digest();
  const prove = (what, expected, found) => {
    figures.add(`${what} ${number}`, expected);
    said.add(`${what} ${number}`, found);
  };
  prove('invoice calls', charges.length, receipts);
  prove('invoice included', sum(charges.map(({ included }) => included)), units('included'));
  prove('invoice overage', sum(charges.map(({ overage }) => overage)), units('overage'));
  prove('invoice usage', sum(charges.map(({ amount }) => amount)), sum(usage.map(({ amount }) => BigInt(amount))));
  prove('invoice lines', sum((lines ?? []).map(({ amount }) => BigInt(amount))), total);
  prove('invoice entries differ', 0, digest.equals(entries_digest) ? 0 : 1);
}

async function proveReceivables(books, { invoices, figures, said }) {
  for (const { customer_id, state, payable_cents, paid, noted } of invoices) {
    if (customer_id === null) continue;
    const left = BigInt(payable_cents) * 10_000n - BigInt(paid) - BigInt(noted);
    figures.add(`balance receivable:${customer_id}`, state === 'uncollectible' ? 0 : left);
  }
  const { rows } = await books.query(
    `select account as name, debits - credits as balance from billing.balance where account like 'receivable:%'`,
  );
  for (const { name, balance } of rows) said.add(`balance ${name}`, balance);
}

// The reports, as a person reads them.

async function proveReports(figures, said) {
  const url = process.env.BILLING_URL;
  if (!url) return;
  const read = async (path) => {
    const items = [];
    for (let cursor = ''; cursor !== null; ) {
      const response = await fetch(`${url}${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, {
        headers: { authorization: `Bearer ${env('OPERATOR_TOKEN')}` },
      });
      if (!response.ok) throw new Error(`${path}: status ${response.status}`);
      const page = await response.json();
      items.push(...page.items);
      cursor = page.next;
    }
    return items;
  };
  const months = new Set([...figures.keys()].flatMap((name) => /^calls (\S+)/.exec(name)?.[1] ?? []));
  for (const month of months) {
    for (const row of await read(`/reports/revenue?month=${month}`)) {
      const name = `${month} ${row.rail} ${row.customer} ${row.product} ${row.asset}`;
      said.add(`reported calls ${name}`, row.calls);
      said.add(`reported revenue ${name}`, atomic(row.amount));
    }
  }
  for (const [name, amount] of new Map(figures)) {
    if (name.startsWith('calls ')) figures.add(`reported ${name}`, amount);
    if (name.startsWith('charged ')) figures.add(`reported revenue ${name.slice(8)}`, amount);
  }
  const assets = new Map();
  for (const { asset, debit, credit } of await read('/reports/trial-balance?limit=100')) {
    assets.set(asset, (assets.get(asset) ?? 0n) + atomic(debit) - atomic(credit));
  }
  for (const [asset, difference] of assets) {
    figures.add(`trial balance ${asset}`, 0);
    said.add(`trial balance ${asset}`, difference);
  }
}

async function main() {
  types.setTypeParser(types.builtins.TIMESTAMPTZ, (text) => new Date(text));
  const books = new Client({ connectionString: env('DATABASE_URL'), application_name: 'keyfare-prove-books' });
  const log = new Client({ connectionString: env('FEED_DATABASE_URL', process.env.DATABASE_URL) });
  await Promise.all([books.connect(), log.connect()]);
  try {
    // One moment of the books, in which nothing can be written.
    await books.query('begin isolation level repeatable read read only');
    const cut = await readCut(books);
    const { figures, charges } = await expect(log, cut);
    const said = await readBooks(books);
    await proveInvoices(books, { charges, figures, said });
    await proveReports(figures, said);
    const names = [...new Set([...figures.keys(), ...said.keys()])].toSorted((a, b) => (a < b ? -1 : 1));
    const differences = names
      .map((figure) => ({ figure, expected: String(figures.get(figure) ?? 0n), books: String(said.get(figure) ?? 0n) }))
      .filter(({ expected, books: found }) => expected !== found);
    const proof = { place: String(cut.place), figures: names.length, differences };
    if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(proof)}\n`);
    else {
      for (const { figure, expected, books: found } of differences)
        console.log(`${figure}: ${expected} by the sources, ${found} by the books`);
      console.log(`${names.length} figures, ${differences.length} differences`);
    }
    return differences.length === 0 ? 0 : 1;
  } finally {
    await Promise.all([books.end(), log.end()]);
  }
}

process.exitCode = await main().catch((error) => {
  console.error(`prove-books: ${error.message}`);
  return 2;
});
