import { Page } from '../../ui/page.js';

export default function Stub() {
  return <Page title="Soon">…</Page>;
}
