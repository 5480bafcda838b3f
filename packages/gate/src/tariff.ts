export { CurrentPrincipal } from './exchange/principal.decorator.js';
export type { FreeOptions } from './free-options.js';
export {
  type ChosenOptions,
  Free,
  type OfferOptions,
  Priced,
  type PricedOptions,
  type RouteOptions,
  type SkuOptions,
} from './route-tariff.js';
export type { ChoiceByText, ChoiceOption } from './tariff-choice.js';
export type { PriceOption, UnitsOption, VariablePrice, VariableUnits } from './tariff-figure.js';
export type { NoReads, Reads, RequestOf, Schema } from './tariff-request.js';
