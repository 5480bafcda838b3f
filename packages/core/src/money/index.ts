export {
  addMoney,
  allocate,
  compareMoney,
  multiplyMoney,
  type Rounding,
  subtractMoney,
  toCents,
} from './arithmetic.js';
export {
  type AssetCode,
  assetCodes,
  decimalsOf,
  formatMoney,
  type Money,
  money,
  type PriceAsset,
  parseMoney,
  parsePrice,
  signOf,
  type TokenCode,
  tokenCodes,
} from './money.js';
