import { ApiBearerAuth, ApiResponse } from '@nestjs/swagger';
import { answerOf } from './answers.js';
import { adminControllers } from './controllers.js';

let isDescribed = false;

/**
 * Describes the admin API for `@nestjs/swagger`: call it before `SwaggerModule.createDocument`. The module itself does
 * without that package.
 */
export function describeAdmin(): void {
  if (isDescribed) return;
  isDescribed = true;
  for (const controller of adminControllers) {
    ApiBearerAuth()(controller);
    const prototype = controller.prototype as object;
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const answer = typeof descriptor.value === 'function' ? answerOf(descriptor.value as object) : undefined;
      if (answer === undefined) continue;
      ApiResponse({ status: answer.status, standardSchema: answer.schema })(prototype, name, descriptor);
    }
  }
}
