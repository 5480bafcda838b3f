import { programTexts, type SettingText, settingTexts, watchTexts } from '@keyfare/gate/server';
import type { billingEnvironment } from './config.js';

const { PAY_TO, NETWORK, DATABASE_URL, DIRECT_DATABASE_URL, MIGRATION_DATABASE_URL, RPC_URL, RPC_TIMEOUT_MS } =
  settingTexts;

/** What the page of settings says of each setting of this program. One without a line here does not compile. */
export const billingSettingTexts: Readonly<Record<keyof typeof billingEnvironment.shape, SettingText>> = {
  PAY_TO,
  NETWORK,
  DATABASE_URL,
  DIRECT_DATABASE_URL,
  MIGRATION_DATABASE_URL,
  RPC_URL,
  RPC_TIMEOUT_MS,
  ...watchTexts,
  ...programTexts,
  FEED_DATABASE_URL: {
    shape: 'postgres:// URL',
    absent: '`DATABASE_URL`',
    text: 'The API’s database, of which five views are read and nothing else.',
  },
  API_JWKS_URL: { shape: 'http or https URL', text: 'Where the API publishes the keys that sign its receipts.' },
  API_URL: {
    shape: 'http or https URL',
    absent: 'the origin of `API_JWKS_URL`',
    text: 'Where this program reaches the API: operators sign in there, and the console asks it. Name this program among the API’s `TRUSTED_PROXIES`.',
  },
  CONSOLE_URL: {
    shape: 'http or https URL',
    absent: '-',
    text: 'Where browsers find the console. With https its cookies are for TLS alone; so they are in production, without it.',
  },
  FURTHER_PAYEES: {
    shape: 'addresses with commas',
    text: 'Further wallets that payments go to, on routes with a payee of their own.',
  },
  INTAKE_INTERVAL_MS: { text: 'How often the log is read. Less than `STALLED_AFTER_SECONDS`.' },
  CHAIN_INTERVAL_MS: { text: 'How often the chain is read. Less than `STALLED_AFTER_SECONDS`.' },
  CHAIN_START_BLOCK: {
    shape: 'number of a block',
    fallback: '0',
    text: 'The first block whose transfers count. What the wallet held before it is its opening balance.',
  },
  CHAIN_CONFIRMATIONS: {
    shape: 'number of blocks',
    absent: 'the chain says what is final',
    text: 'After so many blocks a transfer counts as final.',
  },
  CHAIN_DOUBT_SECONDS: { text: 'How long a node must show other blocks for final ones before that is a break.' },
  CHAIN_MAY_LOSE_BLOCKS: { text: '`true` for a local chain only: it loses its newest blocks when it is killed.' },
  STALLED_AFTER_SECONDS: { text: 'How long the books may be behind the log or the chain before that is a break.' },
  RECONCILE_WAIT_SECONDS: {
    text: 'How long a reconciliation waits for the log and the chain to come up to the present.',
  },
  RECONCILE_GRACE_SECONDS: { text: 'How long one side may know of a payment before the other does.' },
  RECEIPT_KEY_GRACE_SECONDS: { text: 'How long the API may take to publish a key that it signs with already.' },
  FOUR_EYES_ABOVE: {
    shape: 'amount',
    fallback: '100',
    text: 'A resolution of a break that posts more than that takes a second operator: dollars, USDC or EURC.',
  },
  CLOSE_BREAK_LIMIT: {
    shape: 'amount',
    fallback: '0',
    text: 'A month cannot be locked while a break of more than that is open, or one without an amount that is not low.',
  },
  JOB_LEASE_SECONDS: {
    text: 'After so long without a sign of life of its process, a reconciliation or a scheduled job is begun again by another.',
  },
  PROOF_ROTATION_NIGHTS: {
    text: 'In so many nights all that was proven is read again, with its signatures.',
  },
  INVOICE_APPROVAL_ABOVE: {
    shape: 'amount',
    fallback: '10000',
    text: 'An invoice of more dollars than that becomes final only when a second operator has approved it.',
  },
  REMIND_AFTER_DAYS: {
    shape: 'numbers of days with commas',
    fallback: '7,21,35',
    text: 'So many days after its due day an invoice is reminded of: one number for each level of the reminders, rising.',
  },
  DUST_BELOW: {
    shape: 'smallest units of a token',
    fallback: '100',
    text: 'A transfer of less than that which no entry claims is dust and no break: 100 is 0.0001 USDC. Of 0 only transfers of nothing are.',
  },
};
