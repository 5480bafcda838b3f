export { CurrentPrincipal } from './exchange/principal.decorator.js';
export { Free, Priced, type OfferOptions, type PricedOptions } from './route-tariff.js';
