export { type Overage, type PlanTerms, type Rail, type RatedUnits, rate } from './rate.js';
export { type PricedTariff, type Quote, quoteTariff, type Tariff } from './tariff.js';
export { limitOf, periodOf, type TermsRecord } from './terms.js';
