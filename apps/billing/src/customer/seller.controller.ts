import { Admin } from '@keyfare/gate/operators';
import { changeableRoutes } from './master-routes.js';
import { changes, requests, views } from './views.js';

/** Who invoices. */
@Admin('sellers')
export class SellerController extends changeableRoutes({
  table: 'seller',
  page: 'SellerPage',
  list: 'sellers',
  one: 'seller',
  view: views.seller,
  request: requests.seller,
  change: changes.seller,
}) {}
