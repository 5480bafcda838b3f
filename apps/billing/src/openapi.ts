import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

/** Serves the OpenAPI document, written from the routes and their schemas. */
export function serveOpenApi(app: NestFastifyApplication): void {
  let document: OpenAPIObject | undefined;
  const fastify = app.getHttpAdapter().getInstance();
  fastify.get('/openapi.json', () => {
    document ??= describe(app);
    return document;
  });
}

function describe(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Keyfare billing')
    .setVersion('0.2.0')
    .setDescription('Invoices, reconciliation and reports. Reports are JSON, or CSV by `.csv` or `?format=csv`.')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'The operator token.' })
    .build();
  return SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
}
