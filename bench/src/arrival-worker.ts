import { type ArrivalSettings, atRate } from './open-loop.js';

/** Sends one load at a fixed rate and tells its figures. */
process.once('message', (settings: ArrivalSettings) => {
  void atRate(settings).then((figures) => process.send?.(figures, () => process.disconnect()));
});
