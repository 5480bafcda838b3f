export { type Clock, systemClock, type UnixSeconds, unixSeconds } from './clock.js';
export { formatMonth, monthOf, type Period, parseMonth } from './period.js';
