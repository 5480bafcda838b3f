export { catalogue, type ProblemCode } from './catalogue.js';
export { type ProblemDocument, toProblemDocument } from './document.js';
export { formatProblemPage, isProblemCode } from './page.js';
export { isProblem, Problem } from './problem.js';
