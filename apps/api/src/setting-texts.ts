import { programTexts, type SettingText, settingTexts, watchTexts } from '@keyfare/gate/server';
import type { apiEnvironment } from './config.js';

/** What the page of settings says of each setting of this program. One without a line here does not compile. */
export const apiSettingTexts: Readonly<Record<keyof typeof apiEnvironment.shape, SettingText>> = {
  ...settingTexts,
  ...watchTexts,
  ...programTexts,
  BOOTSTRAP_TOKEN: {
    shape: '32 characters or more',
    absent: 'nobody can make a first operator',
    text: 'Makes the first operator, once. Take it out when it was used.',
  },
  CONTACT_EMAIL: {
    shape: 'an e-mail address',
    absent: 'the OpenAPI document names nobody',
    text: 'Who answers questions about the service; registries of services verify owners by it.',
  },
};
