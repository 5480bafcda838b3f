export { CurrentPrincipal } from './exchange/principal.decorator.js';
export { Free, Priced, type PricedOptions } from './exchange/tariff.js';
