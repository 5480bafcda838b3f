import { money } from '@keyfare/core/money';
import { Priced } from '@keyfare/gate/tariff';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';

const point = z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) });
const distancesRequest = z.strictObject({ from: point, to: z.array(point).min(1).max(100) }).meta({
  id: 'DistancesRequest',
  examples: [{ from: { latitude: 52.52, longitude: 13.4 }, to: [{ latitude: 48.86, longitude: 2.35 }] }],
});
const distances = z.object({ kilometers: z.array(z.number().nonnegative()) }).meta({ id: 'Distances' });

/** IUGG mean radius of the Earth. */
const earthRadiusKm = 6_371.0088;

/** So many places are measured for one price; what is more costs as much for each begun ten. */
const together = 10;
const priceOfTen = 2_000n;
const unitsOfTen = 2;

const tens = ({ to }: z.infer<typeof distancesRequest>): number => Math.ceil(to.length / together);

/** Great-circle distances from one place to many. */
@Controller('v1/distances')
export class DistancesController {
  @Priced({
    sku: 'distances',
    reads: { body: distancesRequest },
    price: { min: '$0.002', max: '$0.02', of: ({ body }) => money('USD', priceOfTen * BigInt(tens(body))) },
    units: { min: 2, max: 20, of: ({ body }) => unitsOfTen * tens(body) },
  })
  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Great-circle distances from one place to many' })
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
