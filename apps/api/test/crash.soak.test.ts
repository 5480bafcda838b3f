import { describeKills } from './random-kills.js';

describeKills(20);
