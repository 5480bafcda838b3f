/** How tax ids name countries that ISO 3166-1 names otherwise. */
const ofTaxIds: Readonly<Record<string, string>> = { EL: 'GR', XI: 'GB' };

let countries: ReadonlyMap<string, string> | undefined;

/**
 * The country that the last line of an address names, or that a VAT identifier begins with: for what was entered before
 * parties had a country of their own. Null for none.
 */
export function guessCountry({ address, taxId }: { readonly address: string; readonly taxId: string | null }) {
  const last = address.split('\n').findLast((line) => line.trim() !== '');
  return countryCode(last ?? '') ?? (taxId === null ? null : countryOfVatId(taxId));
}

/** Whether it is a country's code of two letters (ISO 3166-1 alpha-2). */
export function isCountry(code: string): boolean {
  return countryCode(code) === code;
}

/** The English name of a country; null for what is none. */
export function countryName(code: string): string | null {
  return isCountry(code) ? (regions().of(code) ?? null) : null;
}

/** The code (ISO 3166-1) of a country by its code or its English name; null for what is none. */
export function countryCode(text: string): string | null {
  countries ??= readCountries();
  return countries.get(text.trim().toLowerCase()) ?? null;
}

/** The country that a VAT identifier begins with (BR-CO-09 of EN 16931); null for an id that is none. */
export function countryOfVatId(taxId: string): string | null {
  const prefix = /^([A-Z]{2})[A-Z0-9]{2,}$/u.exec(taxId.replaceAll(/[ .-]/gu, ''))?.[1];
  return prefix === undefined ? null : (ofTaxIds[prefix] ?? countryCode(prefix));
}

function regions(): Intl.DisplayNames {
  return new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
}

function readCountries(): ReadonlyMap<string, string> {
  const names = regions();
  const found = new Map<string, string>();
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCodePoint(65 + index));
  for (const code of letters.flatMap((first) => letters.map((second) => first + second))) {
    const name = names.of(code);
    // Codes of former countries stand for others' names; some codes are of no country.
    if (name === undefined || noCountries.has(code) || Intl.getCanonicalLocales(`und-${code}`)[0] !== `und-${code}`)
      continue;
    found.set(code.toLowerCase(), code).set(name.toLowerCase(), code);
  }
  return found;
}

const noCountries = new Set(['AC', 'CP', 'CQ', 'DG', 'EA', 'EU', 'EZ', 'IC', 'QO', 'TA', 'UN', 'XA', 'XB', 'ZZ']);
