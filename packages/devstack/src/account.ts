import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';

/** An account of this machine that is not root. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account that must run the database kept in `dataDir`, or null when this process may run it itself. PostgreSQL
 * refuses to run as root, so root hands it to the directory's owner, and a new directory to `postgres` or to `nobody`,
 * which every Unix has.
 */
export function findServerAccount(dataDir: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const owner = existsSync(dataDir) ? statSync(dataDir) : null;
  if (owner !== null && owner.uid > 0) return { name: `uid ${String(owner.uid)}`, uid: owner.uid, gid: owner.gid };
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.map((line) => line.split(':')).find(([user]) => user === name) ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('running as root, and neither a "postgres" nor a "nobody" account exists to run PostgreSQL');
}

/**
 * Whether the account can enter the directory, asked of the kernel: the modes of every parent decide, and so may access
 * lists and mounts.
 */
export function canEnter(account: Account | null, directory: string): boolean {
  const answer = spawnSync('/bin/sh', ['-c', 'test -d "$0" && test -x "$0"', directory], {
    cwd: '/',
    stdio: 'ignore',
    ...(account && { uid: account.uid, gid: account.gid }),
  });
  return answer.status === 0;
}
