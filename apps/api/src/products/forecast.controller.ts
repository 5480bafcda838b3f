import { Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { getMoonIllumination, getPosition, getTimes } from 'suncalc';
import { z } from 'zod';

/** Degrees in plain digits: an empty text is no zero, and 1e1 no ten. */
const degrees = (most: number, meta: { readonly description: string; readonly examples: string[] }) =>
  z
    .string()
    .regex(/^-?\d{1,3}(?:\.\d{1,15})?$/, 'must be degrees in plain digits')
    .meta(meta)
    .transform(Number)
    .pipe(z.number().min(-most).max(most));

const forecastQuery = z
  .strictObject({
    latitude: degrees(90, { description: 'Degrees north', examples: ['52.52'] }),
    longitude: degrees(180, { description: 'Degrees east', examples: ['13.4'] }),
    date: z.iso.date().meta({ description: 'The day, UTC', examples: ['2026-11-21'] }),
    granularity: z
      .enum(['daily', 'hourly'])
      .optional()
      .meta({ description: 'The day alone, or each of its hours too' }),
  })
  .meta({ id: 'ForecastQuery' });

const hour = z.object({
  time: z.iso.datetime(),
  sunAltitude: z.number().min(-90).max(90).meta({ description: 'Degrees above the horizon' }),
  sunAzimuth: z.number().min(0).max(360).meta({ description: 'Degrees from north, clockwise' }),
});

const forecast = z
  .object({
    date: z.iso.date(),
    sunrise: z.iso.datetime().nullable(),
    solarNoon: z.iso.datetime(),
    sunset: z.iso.datetime().nullable(),
    daylight: z.enum(['normal', 'polar-day', 'polar-night']),
    moonFraction: z.number().min(0).max(1),
    hours: z.array(hour).optional().meta({ description: 'Every hour of the day, UTC, where they are asked for' }),
  })
  .meta({ id: 'Forecast' });

/** The sun and the moon of a day, anywhere. */
@Controller('v1/forecast')
export class ForecastController {
  @Priced({
    skus: { forecast: { price: '$0.001' }, 'forecast.hourly': { price: '$0.004', units: 4 } },
    choose: { query: 'granularity', values: { daily: 'forecast', hourly: 'forecast.hourly' }, absent: 'forecast' },
  })
  @Get()
  @ApiOperation({ summary: 'Where the sun and the moon are on a day, anywhere' })
  @ApiOkResponse({ standardSchema: forecast })
  forecast(@Query({ schema: forecastQuery }) query: z.infer<typeof forecastQuery>): z.infer<typeof forecast> {
    const noon = new Date(`${query.date}T12:00:00Z`);
    const times = getTimes(noon, query.latitude, query.longitude);
    return {
      date: query.date,
      sunrise: times.sunrise?.toISOString() ?? null,
      solarNoon: times.solarNoon.toISOString(),
      sunset: times.sunset?.toISOString() ?? null,
      daylight: times.alwaysUp === true ? 'polar-day' : times.alwaysDown === true ? 'polar-night' : 'normal',
      moonFraction: getMoonIllumination(noon).fraction,
      ...(query.granularity === 'hourly' && { hours: hoursOf(query) }),
    };
  }
}

/** The place of the sun at each full hour of the day. */
function hoursOf({ date, latitude, longitude }: z.infer<typeof forecastQuery>): z.infer<typeof hour>[] {
  return Array.from({ length: 24 }, (_, index) => {
    const time = new Date(`${date}T${String(index).padStart(2, '0')}:00:00Z`);
    const { altitude, azimuth } = getPosition(time, latitude, longitude);
    return { time: time.toISOString(), sunAltitude: altitude, sunAzimuth: azimuth };
  });
}
