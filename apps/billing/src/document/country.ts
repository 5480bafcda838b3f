/** How tax ids name countries that ISO 3166-1 names otherwise. */
const ofTaxIds: Readonly<Record<string, string>> = { EL: 'GR', XI: 'GB' };

let countries: ReadonlyMap<string, string> | undefined;

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

function readCountries(): ReadonlyMap<string, string> {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
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
