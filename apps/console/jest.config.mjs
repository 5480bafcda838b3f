export { preset as default } from '@keyfare/jest-preset';
