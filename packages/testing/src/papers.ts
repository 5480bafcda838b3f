import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The SQL of a page of docs/runbooks: a list of statements for each of its blocks, taken apart as psql does it. */
export function readRunbookSql(page: string): readonly (readonly string[])[] {
  const path = fileURLToPath(new URL(`../../../../docs/runbooks/${page}`, import.meta.url));
  return [...readFileSync(path, 'utf8').matchAll(/^ *```sql\n(.*?)^ *```$/gms)].map(([, block = '']) =>
    block
      .split(';')
      .map((statement) => statement.trim())
      .filter((statement) => statement !== ''),
  );
}

/** A statement with the values of psql's variables in their place: `:'name'` as a literal, `:"name"` as an identifier. */
export function withVariables(statement: string, variables: Readonly<Record<string, string>>): string {
  return statement.replaceAll(/:(['"])(\w+)\1/g, (_, quote: string, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`no value for ${name}`);
    return `${quote}${value.replaceAll(quote, quote + quote)}${quote}`;
  });
}
