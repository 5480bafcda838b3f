/** An identifier as it may stand in a statement: quoted where it must be (PostgreSQL §4.1.1). */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/**
 * Statements that give a login the rights of a role by inheritance, on any server. Since PostgreSQL 16 a membership
 * keeps whether it inherits from when it was granted, and a second grant changes nothing of it: so it is taken away
 * first.
 */
export function grantByInheritance(role: string, login: string): string {
  const [name, member] = [quoteIdentifier(role), quoteIdentifier(login)];
  return `alter role ${member} inherit; revoke ${name} from ${member}; grant ${name} to ${member};`;
}
