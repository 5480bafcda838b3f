import { execFileSync } from 'node:child_process';

/**
 * The command, run as a container would run it: in a mount namespace in which nothing of this machine can be written,
 * and, where this process is root, as the user of the image, without any capability.
 */
export function readOnlyCommand(words: readonly string[]): readonly [string, ...string[]] {
  const isRoot = process.getuid?.() === 0;
  const user = '--reuid 1000 --regid 1000 --clear-groups';
  const drop = `setpriv ${isRoot ? user : ''} --no-new-privs --inh-caps=-all ${isRoot ? '--bounding-set=-all' : ''}`;
  // The mount of each file system is remounted; those that a process may never write to stay as they are.
  const script = `for mount in / /tmp "$KEYFARE_IMAGE"; do
    mount --bind "$mount" "$mount" 2>/dev/null || true
    mount -o remount,bind,ro "$mount"
  done
  cd "$KEYFARE_IMAGE" && exec ${drop} "$@"`;
  return ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-ec', script, 'sh', ...words];
}

/** What a program gets that tries to write into its folder, and beside it: the code of the error for each path. */
export function writeFaults(image: string, paths: readonly string[]): readonly string[] {
  const program = `const fs = require('node:fs');
    console.log(JSON.stringify(process.argv.slice(1).map((path) => {
      try { fs.writeFileSync(path, 'x'); return 'written'; } catch (error) { return error.code; }
    })))`;
  const [command, ...args] = readOnlyCommand([process.execPath, '-e', program, ...paths]);
  const env = { PATH: process.env['PATH'] ?? '', KEYFARE_IMAGE: image };
  return JSON.parse(execFileSync(command, args, { env, encoding: 'utf8' })) as readonly string[];
}
