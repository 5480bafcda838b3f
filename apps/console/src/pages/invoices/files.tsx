import { useState } from 'react';
import { Button } from '../../ui/button.js';
import { Section } from '../../ui/page.js';
import { type Invoice, nameOf } from './kinds.js';

/** The invoice as it is sent: beside the numbers, and as files. */
export function Files({ invoice }: { readonly invoice: Invoice }) {
  const [isShown, setShown] = useState(false);
  const pdf = `/invoices/${invoice.id}/pdf`;
  return (
    <Section
      title="On paper"
      actions={
        <>
          <Button aria-expanded={isShown} onPress={() => setShown(!isShown)}>
            {isShown ? 'Hide the PDF' : 'Show the PDF'}
          </Button>
          <a className="button" href={pdf} download={`${nameOf(invoice)}.pdf`}>
            Save the PDF
          </a>
          {invoice.state === 'draft' ? null : (
            <a className="button" href={`/invoices/${invoice.id}/xml`} download={`${nameOf(invoice)}.xml`}>
              Save the e-invoice
            </a>
          )}
        </>
      }
    >
      {isShown ? <iframe className="paper" title={`PDF of ${nameOf(invoice)}`} src={pdf} /> : null}
    </Section>
  );
}
