import { SqlPool } from '@keyfare/db/sql';

/**
 * The connections of operators' lists: few, with statements that the database gives up, apart from calls and changes.
 */
export class ListPool extends SqlPool {}
