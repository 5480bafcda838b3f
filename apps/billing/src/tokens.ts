/** Injection tokens of what is built by functions, not by classes. */
export const clock = Symbol('billing:clock');
export const feedPool = Symbol('billing:feed-pool');
export const logFeed = Symbol('billing:log-feed');
export const evmChain = Symbol('billing:chain');
/** For statements over the whole of the books, which may take minutes. */
export const reportPool = Symbol('billing:report-pool');

/** Connections for what operators change. */
export const changePool = Symbol('billing:change-pool');
/** Connections to the API's database, where its operators are. */
export const operatorPool = Symbol('billing:operator-pool');
/** The connection for whom billing has seen. */
export const memoryPool = Symbol('billing:memory-pool');
