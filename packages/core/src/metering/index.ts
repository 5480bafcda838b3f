export { type FreeCalls, freePeriodOf } from './free.js';
export { type Overage, type PlanTerms, type Rail, type RatedUnits, rate } from './rate.js';
export {
  type CalledRequest,
  constant,
  type Figure,
  isConstant,
  type PricedRequest,
  type PricedTariff,
  type Product,
  type ProductOffer,
  priceOfOffer,
  type Quote,
  quoteProduct,
  type RequestTexts,
  type Tariff,
  type TariffChoice,
  type TariffOffer,
} from './tariff.js';
export { limitOf, periodOf, type TermsRecord } from './terms.js';
