import { adminQuery, databaseUrl, ensureDatabase, quoteIdentifier } from './postgres/index.js';

/** The logins of a deployment: who may change the schema, and the two programs with as little as they need. */
export interface Databases {
  /** Owns every schema, the books too; migrations run as this, and nothing else does. */
  readonly ownerUrl: string;
  /** The API: may append to the log, and neither change nor delete a line of it. */
  readonly apiUrl: string;
  /** Billing: may append to its books, and read the two feed views of the API. */
  readonly billingUrl: string;
}

const database = 'keyfare';

/** Makes database, logins and roles where they are missing; run as the superuser. A second run changes nothing. */
export async function ensureDatabases(adminUrl: string, password: string): Promise<Databases> {
  const superuserUrl = await ensureDatabase(adminUrl, database);
  for (const login of ['keyfare_owner', 'keyfare_api', 'keyfare_billing']) {
    await ensureRole(superuserUrl, login);
    await adminQuery(superuserUrl, `alter role ${login} login password '${password.replaceAll("'", "''")}'`);
  }
  for (const role of ['keyfare_gate', 'keyfare_billing_reader']) await ensureRole(superuserUrl, role);
  for (const statement of [
    'alter role keyfare_owner createrole',
    'grant keyfare_gate to keyfare_owner, keyfare_api',
    'grant keyfare_billing to keyfare_owner',
    'grant keyfare_billing_reader to keyfare_billing',
    `alter database ${quoteIdentifier(database)} owner to keyfare_owner`,
  ]) {
    await adminQuery(superuserUrl, statement);
  }
  const as = (login: string): string => {
    const url = new URL(databaseUrl(adminUrl, database));
    url.username = login;
    url.password = password;
    return url.href;
  };
  return { ownerUrl: as('keyfare_owner'), apiUrl: as('keyfare_api'), billingUrl: as('keyfare_billing') };
}

async function ensureRole(url: string, name: string): Promise<void> {
  const found = await adminQuery(url, 'select 1 from pg_roles where rolname = $1', [name]);
  if (found.length === 0) await adminQuery(url, `create role ${quoteIdentifier(name)} nologin`);
}
