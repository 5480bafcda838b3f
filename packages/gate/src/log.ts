export { newExchangeId } from './exchange/exchange.js';
export {
  appendEntries,
  appendEntry,
  type CallUsage,
  type EntryItem,
  entryColumns,
  loneEntry,
  usageColumns,
} from './log/append.sql.js';
export { Sequencer, type SequencerSettings } from './log/sequencer.js';
export { placeEntries, takeSequencer } from './log/sequencer.sql.js';
