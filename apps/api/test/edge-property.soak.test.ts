// The same tests: in a soak they send twice as much.
import './edge-property.e2e.test.js';
