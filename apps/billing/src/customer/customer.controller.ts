import { Admin } from '@keyfare/gate/operators';
import { changeableRoutes } from './master-routes.js';
import { changes, requests, views } from './views.js';

/** Who is invoiced. */
@Admin('customers')
export class CustomerController extends changeableRoutes({
  table: 'customer',
  page: 'CustomerPage',
  list: 'customers',
  one: 'customer',
  view: views.customer,
  request: requests.customer,
  change: changes.customer,
}) {}
