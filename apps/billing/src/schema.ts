/** Every table of billing lives in this schema of its database. */
export const schema = 'billing';

/** pg-boss keeps its jobs in a schema of its own. */
export const jobsSchema = 'billing_jobs';

/**
 * The role that a running billing takes on: it may append to the books, and neither change nor delete a line of them.
 */
export const billingRole = 'keyfare_billing';

/** The role in which the API's database is read: five views, and nothing else. The API's migrations make it. */
export const feedReaderRole = 'keyfare_billing_reader';
