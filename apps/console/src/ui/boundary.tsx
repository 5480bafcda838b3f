import { Component, type ReactNode } from 'react';
import { Fault } from './states.js';

interface BoundaryProps {
  readonly children: ReactNode;
}

/** A page that breaks takes itself down and not the frame around it. */
export class Boundary extends Component<BoundaryProps, { readonly error: unknown }> {
  override state: { readonly error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { readonly error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    return error === undefined ? this.props.children : <Fault error={error} again={() => window.location.reload()} />;
  }
}
