import { useState } from 'react';
import { Button } from './button.js';
import { Dialog } from './dialog.js';

interface SecretDialogProps {
  readonly title: string;
  readonly secret: string | undefined;
  /** What it is for, and what happens when it is lost. */
  readonly children: React.ReactNode;
  readonly onClose: () => void;
}

/** A secret that is shown once. It is kept nowhere: when the dialog ends it is gone. */
export function SecretDialog({ title, secret, children, onClose }: SecretDialogProps) {
  const [copied, setCopied] = useState<'no' | 'yes' | 'refused'>('no');
  return (
    <Dialog
      title={title}
      isOpen={secret !== undefined}
      onClose={() => {
        setCopied('no');
        onClose();
      }}
    >
      {children}
      <p>
        <output className="secret" aria-label="The secret">
          {secret}
        </output>
      </p>
      <p role="status" className="muted">
        {copied === 'yes' ? 'Copied.' : copied === 'refused' ? 'The browser did not let it be copied: mark it.' : ''}
      </p>
      <div className="actions">
        <Button
          onPress={() => {
            const asked = navigator.clipboard?.writeText(secret ?? '') ?? Promise.reject(new Error('no clipboard'));
            asked.then(
              () => setCopied('yes'),
              () => setCopied('refused'),
            );
          }}
        >
          Copy
        </Button>
        <Button
          look="primary"
          onPress={() => {
            setCopied('no');
            onClose();
          }}
        >
          I have kept it
        </Button>
      </div>
    </Dialog>
  );
}
