export { type Clock, systemClock, type UnixSeconds, unixSeconds } from './clock.js';
export { dayOf, formatMonth, monthOf, type Period, parseMonth } from './period.js';
export { dateIn, isStartOfDay, isTimeZone, startOfDay } from './time-zone.js';
