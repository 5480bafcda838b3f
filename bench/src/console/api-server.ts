import { takeProfiles } from '../profile.js';

takeProfiles();
await import('@keyfare/api/main');
