export type { BlockHeader, ChainEnds as Head } from '../chain/blocks.js';
export { createIndexer, type IndexedTransfer, type Indexer, type TransferQuestion } from './indexer.js';
