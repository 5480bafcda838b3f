import type { ReactNode } from 'react';
import { useState } from 'react';
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { Button } from './button.js';
import { Fault } from './states.js';

interface DialogProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly isWide?: boolean;
}

/** Over the page: keeps the focus, gives it back, ends with Escape. */
export const Dialog = ({ title, isOpen, onClose, children, isWide = false }: DialogProps) => (
  <ModalOverlay
    className="overlay"
    isOpen={isOpen}
    onOpenChange={(open) => (open ? undefined : onClose())}
    isDismissable
  >
    <Modal className={isWide ? 'modal wide' : 'modal'}>
      <AriaDialog className="dialog">
        <Heading slot="title">{title}</Heading>
        {children}
      </AriaDialog>
    </Modal>
  </ModalOverlay>
);

interface FormDialogProps extends DialogProps {
  readonly action: string;
  readonly look?: 'primary' | 'danger';
  readonly isReady?: boolean;
  /** What is asked of the API. The dialog ends when it went well, and says so where it did not. */
  readonly onSubmit: () => Promise<unknown>;
}

/** A form over the page. What was written stays where the answer is a fault. */
export function FormDialog({
  action,
  look = 'primary',
  isReady = true,
  onSubmit,
  children,
  ...dialog
}: FormDialogProps) {
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const submit = async (): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await onSubmit();
      dialog.onClose();
    } catch (fault) {
      setError(fault);
    } finally {
      setSending(false);
    }
  };
  const close = (): void => {
    setError(undefined);
    dialog.onClose();
  };
  return (
    <Dialog {...dialog} onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !isSending) void submit();
        }}
      >
        {children}
        {error === undefined ? null : <Fault error={error} />}
        <div className="actions">
          <Button onPress={close}>Cancel</Button>
          <Button type="submit" look={look} isDisabled={!isReady || isSending}>
            {isSending ? 'Sending…' : action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
