export {
  addMoney,
  allocate,
  compareMoney,
  multiplyMoney,
  type Rounding,
  subtractMoney,
  toCents,
} from './arithmetic.js';
export { type AssetCode, decimalsOf, formatMoney, type Money, money, parseMoney, parsePrice } from './money.js';
