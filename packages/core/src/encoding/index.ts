export { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './base64.js';
export { canonicalJson } from './canonical-json.js';
export { decodeHex, encodeHex, type Hex } from './hex.js';
export { decodeUtf8, utf8 } from './text.js';
