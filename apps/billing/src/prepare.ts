import { acceptEmptyBodies } from '@keyfare/gate/operators';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { serveOpenApi } from './openapi.js';

/** What the server of billing has beside its controllers. */
export function prepare(app: NestFastifyApplication): void {
  acceptEmptyBodies(app);
  serveOpenApi(app);
}
