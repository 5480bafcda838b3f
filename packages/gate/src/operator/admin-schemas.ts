import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';

/**
 * Holds bodies and queries of operators to their schemas, also in an application that has no such pipe. Where it has
 * one, they have been through it, and what a schema has transformed would not pass it again.
 */
@Injectable()
export class AdminSchemas extends StandardSchemaValidationPipe {
  constructor(private readonly application: ApplicationConfig) {
    super();
  }

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const isThrough = this.application
      .getGlobalPipes()
      .some((pipe) => pipe instanceof StandardSchemaValidationPipe && pipe['isTransformEnabled']);
    return isThrough ? value : super.transform(value, metadata);
  }
}
