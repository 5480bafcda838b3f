import { Admin } from '@keyfare/gate/operators';
import { masterRoutes } from './master-routes.js';
import { requests, views } from './views.js';

/** The rates of tax. One is never changed: the next has its own day. */
@Admin('tax-rates')
export class TaxRateController extends masterRoutes({
  table: 'tax_rate',
  page: 'TaxRatePage',
  list: 'tax-rates',
  one: 'tax-rate',
  view: views.taxRate,
  request: requests.taxRate,
}) {}
