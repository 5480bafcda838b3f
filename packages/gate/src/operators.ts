export { ListPool } from './list-pool.js';
export { Admin, AdminInterceptor, OperatorDoor, Tagged } from './operator/admin.js';
export { AuditEntity, IdempotentRequestEntity } from './operator/audit.entity.js';
export { auditPage, auditQuery, readAudit } from './operator/audit.js';
export { type Change, Changes, operatorOf, requireMatch, requireScope, requireTag } from './operator/changes.js';
export { idParam } from './operator/id-param.js';
export { type KnownOperator, OperatorLookup, type OperatorMemory } from './operator/lookup.js';
export { BootstrapToken, Needs, OperatorGuard, shownToken, TakesBootstrap } from './operator/operator.guard.js';
export {
  issueToken,
  type Operator,
  type OperatorSummary,
  operatorRoles,
  operatorScopes,
  roleOf,
} from './operator/operator.js';
export { createChangeTables } from './operator/operator.migration.js';
export { OperatorService } from './operator/operators.service.js';
export { type Page, pageOf, pageQuery, positions, readCursor, toPage } from './operator/page.js';
export { passwordText } from './operator/password.js';
export { openAnswer, sealAnswer } from './operator/sealed-answer.js';
export { SessionService, type SessionSummary } from './operator/session.service.js';
export {
  cookieOf,
  csrfOf,
  refuseIdempotencyKey,
  requireConfirmed,
  requireSamePage,
  Sensitive,
  SessionCookie,
} from './operator/session-guard.js';
export { type OperatorsAsyncOptions, OperatorsModule, type OperatorsOptions } from './operators.module.js';
export { type Part, partOf, readVersion, StatusPart } from './status-part.js';
