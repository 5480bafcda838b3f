import { Button } from '../../ui/button.js';
import { type Invoice, nameOf } from './kinds.js';

interface FilesProps {
  readonly invoice: Invoice;
  readonly isShown: boolean;
  readonly onShow: (isShown: boolean) => void;
}

const pdfOf = ({ id }: Invoice): string => `/invoices/${id}/pdf`;

/** The invoice as it is sent: to be looked at beside the numbers, and as files. */
export const Files = ({ invoice, isShown, onShow }: FilesProps) => (
  <div className="actions files">
    <Button aria-expanded={isShown} onPress={() => onShow(!isShown)}>
      {isShown ? 'Hide the PDF' : 'Show the PDF'}
    </Button>
    <a className="button" href={pdfOf(invoice)} download={`${nameOf(invoice)}.pdf`}>
      Save the PDF
    </a>
    {invoice.state === 'draft' ? null : (
      <a className="button" href={`/invoices/${invoice.id}/xml`} download={`${nameOf(invoice)}.xml`}>
        Save the e-invoice
      </a>
    )}
  </div>
);

/** The PDF in a frame; a browser that shows none in a frame offers to save it. */
export const Paper = ({ invoice }: { readonly invoice: Invoice }) => (
  <iframe className="paper" title={`PDF of ${nameOf(invoice)}`} src={pdfOf(invoice)} />
);
