export { identifierText, nameText, noteText, scopeText } from './text.js';
