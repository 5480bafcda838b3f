import { takeProfiles } from '../profile.js';

takeProfiles();
await import('@keyfare/billing/main');
