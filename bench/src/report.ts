/** What a bench found: figures in the units that their names say, and ratios, which hold on a noisy machine. */
export interface Report {
  readonly bench: string;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly ratios: Readonly<Record<string, number>>;
}

/** The report for people. */
export function formatReport({ bench, figures, ratios }: Report): string {
  const lines = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(14)} ${formatValue(value)}`);
  const rows = Object.entries(ratios).map(([name, value]) => `  ${name.padEnd(22)} ${value.toFixed(2)}`);
  return [`bench ${bench}`, ...lines, 'ratios', ...rows].join('\n');
}

function formatValue(value: unknown): string {
  if (typeof value === 'number') return value.toFixed(1);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, figure]) => `${name} ${typeof figure === 'number' ? figure.toFixed(1) : String(figure)}`)
    .join('  ');
}

/** Numbers rounded to what they can tell. */
export function rounded(report: Report): unknown {
  return JSON.parse(
    JSON.stringify(report, (_name, value: unknown) =>
      typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value,
    ),
  );
}
