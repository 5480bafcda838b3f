import { Get } from '@nestjs/common';
import { Admin } from '../operators.js';
import { GateConfig, GateStatus } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { type StatusView, statusView, viewStatus } from './status-view.js';

/** How the API is, for operators. */
@Free()
@Admin('admin/status')
export class StatusController {
  constructor(
    private readonly config: GateConfig,
    private readonly status: GateStatus,
  ) {}

  /** Within some two seconds, whatever is away: a part that does not answer is `unavailable`. */
  @Get()
  @Answers(200, statusView)
  async read(): Promise<StatusView> {
    return viewStatus(await this.status.read(), this.status, this.config.clock());
  }
}
