import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Whether a process of the group listens at the TCP port; null where the system does not tell (only Linux does).
 * The kernel's word on whose answer it is that came from the port.
 */
export function doesGroupListen(group: number, port: number): boolean | null {
  if (process.platform !== 'linux') return null;
  const sockets = listeningSockets(port);
  return membersOf(group).some((pid) => openFiles(pid).some((file) => sockets.has(file)));
}

/** proc(5), /proc/net/tcp: local address in hexadecimal, state 0A is LISTEN, the tenth field is the socket's inode. */
function listeningSockets(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => read(path).split('\n'));
  const rows = lines.map((line) => line.trim().split(/\s+/));
  const listening = rows.filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === '0A');
  return new Set(listening.map((fields) => `socket:[${fields[9] ?? ''}]`));
}

function membersOf(group: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = read(`/proc/${name}/stat`);
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === group;
  });
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((file) => linkOf(`/proc/${pid}/fd/${file}`));
  } catch {
    return []; // it has ended
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
