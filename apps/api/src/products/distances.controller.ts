import { Priced } from '@keyfare/gate/tariff';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';

const point = z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) });
const distancesRequest = z
  .strictObject({ from: point, to: z.array(point).min(1).max(100) })
  .meta({ id: 'DistancesRequest' });
const distances = z.object({ kilometers: z.array(z.number().nonnegative()) }).meta({ id: 'Distances' });

/** IUGG mean radius of the Earth. */
const earthRadiusKm = 6_371.0088;

/** Great-circle distances from one place to many. */
@Controller('v1/distances')
export class DistancesController {
  @Priced({ sku: 'distances', price: '$0.002', units: 2 })
  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: distances })
  distances(@Body({ schema: distancesRequest }) body: z.infer<typeof distancesRequest>): z.infer<typeof distances> {
    return { kilometers: body.to.map((to) => greatCircleKm(body.from, to)) };
  }
}

/** Haversine formula: stable for near points too. */
function greatCircleKm(a: z.infer<typeof point>, b: z.infer<typeof point>): number {
  const sine = (from: number, to: number): number => Math.sin(radians(to - from) / 2) ** 2;
  const across = Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * sine(a.longitude, b.longitude);
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(sine(a.latitude, b.latitude) + across)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
