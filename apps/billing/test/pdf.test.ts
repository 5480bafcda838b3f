import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { renderPdf } from '../src/document/pdf.js';
import * as documents from './invoice-documents.js';
import { readPdf } from './read-pdf.js';

async function textOf(document: (typeof documents)[keyof typeof documents]): Promise<string> {
  return (await readPdf(await renderPdf(document))).text;
}

describe('a PDF', () => {
  it('says each line, the taxes, what is due and how it is paid', async () => {
    const text = await textOf(documents.plain);
    for (const said of [
      'Invoice KF-2026-000042',
      'Ácme Łódź Sp. z o.o.',
      'Issued 2026-12-01 Due 2026-12-31 Period 2026-11-01 to 2026-11-30',
      'Units beyond the plan: weather 1,234,567 0.00025 308.64',
      'Credit for the outage of 2026-11-07 -1 9.32 -9.32',
      'Subtotal 309.32 Tax at-20, 20 % on 309.32 61.86 Total 371.18 Paid -100.00 Amount due, USD 271.18',
      '271.18 USD by bank transfer to AT611904300234573201, with the reference KF-2026-000042, by 2026-12-31.',
      'Page 1 of 1',
    ]) {
      expect(text).toContain(said);
    }
  });

  it('of a draft says so, and up to when its running month is known', async () => {
    const text = await textOf(documents.running);
    for (const said of ['DRAFT · MONTH RUNNING', 'As of 2026-11-27 16:40 UTC', 'Amount due, USD 309.32']) {
      expect(text).toContain(said);
    }
    expect(text).not.toContain('KF-2026');
  });

  it('goes on over pages, each with the titles and its number, and loses no line and no letter', async () => {
    const { pages, text } = await readPdf(await renderPdf(documents.long));
    expect(pages).toHaveLength(4);
    for (const [index, page] of pages.entries()) {
      expect(page).toContain('Description Quantity Unit price Amount, USD');
      expect(page).toContain(`Page ${index + 1} of 4`);
    }
    for (const [index] of documents.long.lines.entries()) expect(text).toContain(`product-${index + 1}`);
    for (const letters of ['Ελληνική', '«Северная', '€']) expect(text).toContain(letters);
    expect(text.replaceAll(' ', '')).toContain('Donaudampfschifffahrtsgesellschaft'.repeat(4));
  });

  it('of a credit note names the invoice that it is of, and asks for nothing', async () => {
    const text = await textOf(documents.credit);
    for (const said of ['Credit note KF-2026-000043', 'Credits invoice KF-2026-000042 of 2026-12-01', 'Total 12.00']) {
      expect(text).toContain(said);
    }
    expect(text).not.toMatch(/Amount due|PAYMENT/u);
  });

  it('is the same bytes in another process at another time', async () => {
    const [pdf, given] = ['../src/document/pdf.js', './invoice-documents.js'].map((file) =>
      JSON.stringify(new URL(file, import.meta.url)),
    );
    const script = `const [{ renderPdf }, { plain }] = await Promise.all([import(${pdf}), import(${given})]);
      process.stdout.write(await renderPdf(plain));`;
    const other = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NODE_OPTIONS: '', TZ: 'Pacific/Auckland' },
    });
    expect(digest(other)).toBe(digest(await renderPdf(documents.plain)));
  });
});

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
