// The same tests: in a soak they send four times as much.
import './edge-property.e2e.test.js';
