export { CurrentPrincipal } from './exchange/principal.decorator.js';
export { Free, Priced, type PricedOptions } from './route-tariff.js';
