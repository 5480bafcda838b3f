import type { Type } from '@nestjs/common';
import { AccountKeysController } from './account-keys.controller.js';
import { AccountsController } from './accounts.controller.js';
import { AuditController } from './audit.controller.js';
import { KeyHolderController } from './key-holder.controller.js';
import { KeysController } from './keys.controller.js';
import { OperatorsController } from './operators.controller.js';
import { PaymentsController } from './payments.controller.js';
import { PlansController } from './plans.controller.js';
import { RefundsController } from './refunds.controller.js';
import { SessionsController } from './sessions.controller.js';
import { SignInController } from './sign-in.controller.js';
import { StatusController } from './status.controller.js';

/** The controllers of the admin API. */
export const adminControllers: readonly Type[] = [
  PlansController,
  AccountsController,
  AccountKeysController,
  KeysController,
  PaymentsController,
  RefundsController,
  OperatorsController,
  SignInController,
  KeyHolderController,
  SessionsController,
  AuditController,
  StatusController,
];
