export { CurrentPrincipal } from './exchange/principal.decorator.js';
export { Free, type OfferOptions, Priced, type PricedOptions } from './route-tariff.js';
