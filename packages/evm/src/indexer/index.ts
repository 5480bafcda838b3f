export type { BlockHeader, Head } from './blocks.js';
export { createIndexer, type IndexedTransfer, type Indexer, type TransferQuestion } from './indexer.js';
