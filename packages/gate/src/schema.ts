/** Every table of the gate lives in this schema of the host's database. */
export const schema = 'keyfare';

/** The role that a running gate takes on: it may append to the log, and neither change nor delete a line of it. */
export const gateRole = 'keyfare_gate';
