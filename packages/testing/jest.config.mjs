export { nestPreset as default } from '@keyfare/jest-preset';
