// The public module `holdpoint/sdk`: what a program that uses Holdpoint imports. Runs on Node 20 and newer and in browsers.

// biome-ignore-start lint/performance/noBarrelFile: one public module is all that a program imports
export type {
  ApiKey,
  AuditLine,
  Execution,
  ExecutionCancellation,
  ExecutionEvent,
  ExecutionExplanation,
  ExecutionLog,
  ExecutionSummary,
  InboundWebhook,
  Interrupt,
  Member,
  NewApiKey,
  NewInboundWebhook,
  NewSigningKey,
  NodeResult,
  Pod,
  PodWorkflow,
  PodWorkflowSummary,
  PodWorkflowVersion,
  Problem,
  Schedule,
  ScheduleSummary,
  Secret,
  SigningKey,
  StreamTicket,
  Workspace,
} from './api-types.ts';
export {
  type DecideOptions,
  type ExecutionResponse,
  type ExecutionsQuery,
  HoldpointClient,
  type LogsQuery,
  type OnEvent,
  type TriggerOptions,
  type WaitOptions,
} from './client.ts';
export { ApiError, ExecutionError, TimeoutError } from './errors.ts';
export type { StreamedEvent, StreamOptions } from './event-stream.ts';
export type { Health } from './health.ts';
export type { CallOptions, ClientOptions, Page } from './transport.ts';
// biome-ignore-end lint/performance/noBarrelFile: one public module is all that a program imports
