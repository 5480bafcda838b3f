export {
  type EntryKind,
  type EntryPayloads,
  type EntryQuestion,
  parseEntry,
  type RefundDuePayload,
  type ReversedPayload,
  type SettlementPayload,
  signEntry,
  type TermsPayload,
  termsPayload,
  type UnpaidPayload,
  unpaidPayload,
  verifyEntry,
} from './document.js';
export { type FeedEntry, type FeedUsage, parseFeedEntry } from './feed.js';
