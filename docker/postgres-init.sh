#!/bin/sh
# Runs once, when the volume is empty: the logins of the two programs, with as little as each needs.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$KEYFARE_PASSWORD" <<'SQL'
create role keyfare_owner login createrole password :'password';
create role keyfare_api login password :'password';
create role keyfare_billing login password :'password';
create role keyfare_gate nologin;
create role keyfare_billing_reader nologin;
grant keyfare_gate to keyfare_owner, keyfare_api;
grant keyfare_billing to keyfare_owner;
grant keyfare_billing_reader to keyfare_billing;
alter database keyfare owner to keyfare_owner;
SQL
