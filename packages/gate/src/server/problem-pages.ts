import { catalogue, isProblemCode, Problem } from '@keyfare/core/problem';
import { Controller, Get, Header, Param } from '@nestjs/common';
import { Free } from '../route-tariff.js';

/** The pages that a problem's `type` leads to. */
@Free()
@Controller('problems')
export class ProblemController {
  @Get(':room/:code')
  @Header('cache-control', 'public, max-age=3600')
  page(@Param('room') room: string, @Param('code') name: string): object {
    const code = `${room}/${name}`;
    if (!isProblemCode(code)) throw new Problem('request/not-found');
    const { status, title, remedy } = catalogue[code];
    return { code, status, title, remedy };
  }
}
