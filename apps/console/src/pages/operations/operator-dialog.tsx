import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { gate, ok } from '../../api/client.js';
import { useSession } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Facts } from '../../ui/page.js';
import { SecretDialog } from '../../ui/secret.js';
import { Fault } from '../../ui/states.js';
import { Id, Moment } from '../../ui/values.js';
import type { Operator } from './operators.js';

interface OperatorDialogProps {
  readonly operator: Operator;
  readonly onClose: () => void;
}

/** One operator: what they may, a link that lets them in once, and the end of it. */
export function OperatorDialog({ operator, onClose }: OperatorDialogProps) {
  const queries = useQueryClient();
  const { operator: self } = useSession();
  const [link, setLink] = useState<string>();
  const [isRevoking, setRevoking] = useState(false);
  const [error, setError] = useState<unknown>();
  const path = { params: { path: { id: operator.id } } };
  const mayAct =
    operator.revokedAt === null &&
    self.scopes.includes('write') &&
    operator.scopes.every((scope) => self.scopes.includes(scope));
  const makeLink = async (): Promise<void> => {
    setError(undefined);
    try {
      const made = await ok(gate.POST('/admin/operators/{id}/link', path));
      setLink(`${window.location.origin}/console/enter#${made.link}`);
    } catch (fault) {
      setError(fault);
    }
  };
  return (
    <>
      <Dialog title={operator.name} isOpen={link === undefined && !isRevoking} onClose={onClose}>
        <OperatorFacts operator={operator} />
        {error === undefined ? null : <Fault error={error} />}
        <p>
          <Link href={`/operations/audit?of=api&operator=${operator.id}`}>What they did in the API</Link>,{' '}
          <Link href={`/operations/audit?operator=${operator.id}`}>what in billing</Link>
        </p>
        <div className="actions">
          {mayAct ? (
            <>
              <Button onPress={() => void makeLink()}>Make a link to sign in</Button>
              <Button look="danger" onPress={() => setRevoking(true)}>
                Revoke
              </Button>
            </>
          ) : null}
          <Button look="primary" onPress={onClose} autoFocus>
            Close
          </Button>
        </div>
      </Dialog>
      <SecretDialog title={`A link for ${operator.name}`} secret={link} onClose={onClose}>
        <p>It lets them in once, within a quarter of an hour. Give it to nobody else: whoever opens it is in.</p>
      </SecretDialog>
      <FormDialog
        title={`Revoke ${operator.name}`}
        action="Revoke"
        look="danger"
        isOpen={isRevoking}
        onClose={() => setRevoking(false)}
        onSubmit={async () => {
          await ok(gate.POST('/admin/operators/{id}/revoke', path));
          await queries.invalidateQueries({ queryKey: ['operators'] });
          await queries.invalidateQueries({ queryKey: ['sessions'] });
          onClose();
        }}
      >
        <p>
          The token is good for nothing any more and all sessions end, at once, in both programs. This cannot be undone.
          {operator.id === self.id ? ' It is yourself: you are out then.' : ''}
        </p>
      </FormDialog>
    </>
  );
}

const OperatorFacts = ({ operator }: { readonly operator: Operator }) => (
  <Facts
    of={[
      ['Operator', <Id key="id" value={operator.id} length={24} />],
      ['Role', operator.role ?? 'none'],
      ['May', operator.scopes.join(', ')],
      ['Token ends in', operator.lastFour],
      ['Made', <Moment key="made" at={operator.createdAt} />],
      ['Runs out', <Moment key="expires" at={operator.expiresAt} />],
      ['Revoked', <Moment key="revoked" at={operator.revokedAt} />],
    ]}
  />
);
