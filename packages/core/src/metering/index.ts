export { type FreeCalls, freePeriodOf } from './free.js';
export { type Overage, type PlanTerms, type Rail, type RatedUnits, rate } from './rate.js';
export { type PricedTariff, type Quote, quoteTariff, type Tariff, type TariffOffer } from './tariff.js';
export { limitOf, periodOf, type TermsRecord } from './terms.js';
