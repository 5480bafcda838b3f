import { useState } from 'react';
import { Button } from './button.js';
import { Dialog } from './dialog.js';
import { Select } from './fields.js';

interface ReportExportsProps {
  /** The report's route, without its ending. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
}

type Format = { readonly bom?: 'true'; readonly separator?: string; readonly decimal?: string };

const formats: Readonly<Record<string, { readonly label: string; readonly as: Format }>> = {
  plain: { label: 'Plain: comma, decimal point, UTF-8', as: {} },
  excel: { label: 'Excel in English: comma, decimal point', as: { bom: 'true' } },
  excelComma: {
    label: 'Excel in German and others: semicolon, decimal comma',
    as: { bom: 'true', separator: 'semicolon', decimal: 'comma' },
  },
  tab: { label: 'Tab, decimal point', as: { separator: 'tab' } },
  tabComma: { label: 'Tab, decimal comma', as: { separator: 'tab', decimal: 'comma' } },
};

/** All rows of a report as a file, as the program that reads it wants them. The address is what curl takes. */
export function ReportExports({ path, query = {} }: ReportExportsProps) {
  const [isOpen, setOpen] = useState(false);
  const [format, setFormat] = useState('plain');
  const asked = Object.entries({ ...query, ...formats[format]?.as }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const search = new URLSearchParams(asked).toString();
  const href = `${path}.csv${search === '' ? '' : `?${search}`}`;
  return (
    <>
      <Button look="quiet" onPress={() => setOpen(true)}>
        Export…
      </Button>
      <Dialog title="Export" isOpen={isOpen} onClose={() => setOpen(false)}>
        <Select
          label="For"
          value={format}
          onChange={setFormat}
          choices={Object.entries(formats).map(([id, { label }]) => ({ id, label }))}
        />
        <p className="muted">All rows, read from the books as they are now, at this address:</p>
        <pre>{href}</pre>
        <div className="actions">
          <Button onPress={() => setOpen(false)}>Close</Button>
          <a
            className="button primary"
            href={href}
            download={`${path.slice(path.lastIndexOf('/') + 1)}.csv`}
            onClick={() => setOpen(false)}
          >
            Save the CSV
          </a>
        </div>
      </Dialog>
    </>
  );
}
