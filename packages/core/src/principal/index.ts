export type { AccountPrincipal, PayerPrincipal, Principal } from './principal.js';
