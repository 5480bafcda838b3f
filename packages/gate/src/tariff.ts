export { CurrentPrincipal } from './exchange/principal.decorator.js';
export type { FreeOptions } from './free-options.js';
export { Free, type OfferOptions, Priced, type PricedOptions } from './route-tariff.js';
