// Made by `npm run api-types` from the OpenAPI document; do not edit, a test compares. What the API takes and answers
// where the client calls it. It may have over 400 lines because it is generated.

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  role: 'viewer' | 'editor' | 'admin' | 'owner';
  /** the one pod that it is limited to */
  podId: string | null;
  userId: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
  revokedBy: string | null;
}

export interface AuditLine {
  id: string;
  at: string;
  action: 'workspace.created' | 'workspace.updated' | 'pod.created' | 'pod.updated' | 'pod.deleted' | 'workflow.created' | 'workflow.cloned' | 'workflow.updated' | 'workflow.published' | 'workflow.archived' | 'workflow.unarchived' | 'workflow.deleted' | 'member.added' | 'member.changed' | 'member.removed' | 'api_key.created' | 'api_key.revoked' | 'signing_key.created' | 'signing_key.revoked' | 'secret.created' | 'secret.updated' | 'secret.deleted' | 'webhook.created' | 'webhook.deleted' | 'webhook.disabled' | 'webhook.enabled' | 'webhook.redelivered' | 'schedule.created' | 'schedule.updated' | 'schedule.deleted' | 'inbound_webhook.created' | 'inbound_webhook.updated' | 'inbound_webhook.rotated' | 'inbound_webhook.deleted' | 'tenant.refused';
  /** the user whom the credential stands for */
  actor: string;
  /** the API key or signing key that was used */
  keyId: string | null;
  object: AuditObject;
  /** of the client, or of the first proxy that is not trusted */
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
  detail: { [key: string]: unknown };
}

export interface AuditObject {
  type: string;
  id: string;
  name: string | null;
}

export interface Execution {
  id: string;
  workspaceId: string;
  podId: string;
  workflowId: string;
  /** The version of the workflow that it runs, to its end. */
  version: number;
  status: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled';
  triggeredBy: 'api' | 'manual' | 'sdk' | 'schedule' | 'webhook' | 'workflow' | 'replay';
  /** Why it failed. */
  error: ExecutionError | null;
  cancellation: ExecutionCancellation | null;
  /** The execution that this one replays. */
  replayOf: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  input: { [key: string]: unknown };
  output: unknown;
  /** By the id of the node: its latest visit. */
  nodeResults: { [key: string]: NodeResult };
  /** There are more than these, which are the newest. */
  nodeResultsTruncated: boolean;
  /** What expressions see as `data`, or as `variables`. */
  variables: { [key: string]: unknown };
  /** Why it is suspended: the oldest of its interrupts. */
  interrupt: Interrupt | null;
  interrupts: Interrupt[];
  /** The executions that replay this one, newest first; at most 100. */
  replays: string[];
}

export interface ExecutionCancellation {
  type: 'cancel' | 'terminate';
  reason: string | null;
  by: string;
  at: string;
}

export interface ExecutionCancelled {
  type: 'execution_cancelled';
  reason: string | null;
}

export interface ExecutionComplete {
  type: 'execution_complete';
  status: 'completed';
  output: unknown;
}

export interface ExecutionError {
  /** For programs: `approval_rejected`. */
  code: string;
  message: string;
  /** The node that failed, where it was one. */
  nodeId: string | null;
}

export type ExecutionEvent = NodeUpdate | ExecutionSuspended | ExecutionComplete | ExecutionFailed | ExecutionCancelled;

export interface ExecutionExplanation {
  executionId: string;
  status: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled';
  reason: 'finished' | 'held' | 'cancelling' | 'waiting' | 'working';
  /** A plain sentence. */
  message: string;
  until: string | null;
  /** What is open, oldest first; at most 100. */
  nodes: NodeExplanation[];
}

export interface ExecutionFailed {
  type: 'execution_failed';
  error: ExecutionError;
}

export interface ExecutionLog {
  /** Its place; `after` takes it. */
  id: string;
  executionId: string;
  nodeId: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  data: { [key: string]: unknown } | null;
  /** Of an attempt that has ended. */
  durationMs: number | null;
  attempt: number;
  timestamp: string;
}

export interface ExecutionSummary {
  id: string;
  workspaceId: string;
  podId: string;
  workflowId: string;
  /** The version of the workflow that it runs, to its end. */
  version: number;
  status: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled';
  triggeredBy: 'api' | 'manual' | 'sdk' | 'schedule' | 'webhook' | 'workflow' | 'replay';
  /** Why it failed. */
  error: ExecutionError | null;
  cancellation: ExecutionCancellation | null;
  /** The execution that this one replays. */
  replayOf: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface ExecutionSuspended {
  type: 'execution_suspended';
  interrupt: Interrupt;
}

export interface InboundWebhook {
  id: string;
  podId: string;
  workflowId: string;
  version: string;
  name: string;
  enabled: boolean;
  /** It takes what nobody has signed. */
  public: boolean;
  /** What makes two messages one. */
  dedupe: 'id' | 'body';
  /** Where messages are sent. */
  url: string;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface Interrupt {
  /** What is to be answered, if anything. */
  type: 'approval' | 'question' | 'inputs' | 'hold';
  id?: string | undefined;
  nodeId?: string | undefined;
  message?: string | null | undefined;
  /** What an `approval` offers. */
  actions?: InterruptAction[] | undefined;
  /** What the answer to a `question` may be, where it is not free. */
  options?: unknown[] | undefined;
  /** What is asked for: a JSON Schema per field. */
  fields?: { [key: string]: unknown } | undefined;
  /** Who alone may answer. */
  assignees?: string[] | undefined;
  dueAt?: string | null | undefined;
  createdAt?: string | undefined;
  /** Why it is held. */
  reason?: string | null | undefined;
}

export interface InterruptAction {
  id: string;
  label: string;
  outcome?: 'approved' | 'rejected' | undefined;
  fields?: { [key: string]: unknown } | undefined;
}

export interface Member {
  userId: string;
  role: 'viewer' | 'editor' | 'admin' | 'owner';
  addedBy: string;
  addedAt: string;
}

export interface NewApiKey {
  id: string;
  name: string;
  prefix: string;
  role: 'viewer' | 'editor' | 'admin' | 'owner';
  /** the one pod that it is limited to */
  podId: string | null;
  userId: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
  revokedBy: string | null;
  /** shown this once */
  key: string | null;
}

export interface NewInboundWebhook {
  id: string;
  podId: string;
  workflowId: string;
  version: string;
  name: string;
  enabled: boolean;
  /** It takes what nobody has signed. */
  public: boolean;
  /** What makes two messages one. */
  dedupe: 'id' | 'body';
  /** Where messages are sent. */
  url: string;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  /** This once, where it was made here and now. */
  secret: string | null;
}

export interface NewSigningKey {
  id: string;
  name: string;
  algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA';
  role: 'viewer' | 'editor' | 'admin' | 'owner';
  publicKey: string | null;
  audience: string | null;
  issuer: string | null;
  createdBy: string;
  createdAt: string;
  revokedAt: string | null;
  revokedBy: string | null;
  /** shown this once; null when it was sent along */
  secret: string | null;
}

export interface NodeError {
  code: string;
  message: string;
}

export interface NodeExplanation {
  nodeId: string;
  visit: number;
  attempt: number;
  reason: 'waits_for_person' | 'waits_for_time' | 'waits_for_callback' | 'waits_for_retry' | 'waits_for_steps' | 'queued_behind' | 'not_taken' | 'no_worker' | 'running' | 'held';
  /** A plain sentence. */
  message: string;
  since: string;
  /** When it ends by itself. */
  until: string | null;
  /** The people, or the nodes, that alone can end it. */
  waitsFor: string[];
  /** How many nodes are queued before it; counted to 1,001. */
  ahead: number | null;
}

export interface NodeResult {
  status: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled';
  output: unknown;
  error: NodeError | null;
  durationMs: number | null;
  attempts: number;
  /** Which time round, where the workflow leads back; the latest is shown. */
  visit: number;
  /** It was not run here: its output is that of the execution that this one replays. */
  replayed?: true | undefined;
}

export interface NodeUpdate {
  type: 'node_update';
  nodeId: string;
  status: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled';
  output?: unknown;
  error?: NodeError | undefined;
  durationMs?: number | undefined;
}

export interface Pod {
  id: string;
  slug: string;
  name: string;
  /** What is made without naming a pod is in this one. */
  isDefault: boolean;
  createdBy: string;
  createdAt: string;
}

export interface PodWorkflow {
  id: string;
  key: string;
  podId: string;
  name: string;
  description: string | null;
  status: 'draft' | 'testing' | 'published' | 'archived';
  version: number;
  /** The version that was deployed last. */
  deployedVersion: number | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  initialStep: string;
  steps: ({ [key: string]: unknown })[];
  edges: ({ [key: string]: unknown })[];
}

export interface PodWorkflowSummary {
  id: string;
  key: string;
  podId: string;
  name: string;
  description: string | null;
  status: 'draft' | 'testing' | 'published' | 'archived';
  version: number;
  /** The version that was deployed last. */
  deployedVersion: number | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface PodWorkflowVersion {
  workflowId: string;
  version: number;
  status: 'draft' | 'testing' | 'published';
  createdBy: string;
  createdAt: string;
  deployedAt: string | null;
  isLatest: boolean;
  isDeployed: boolean;
}

export interface Problem {
  pointer: string;
  message: string;
  hint?: string | undefined;
}

export interface Schedule {
  id: string;
  podId: string;
  workflowId: string;
  version: string;
  name: string;
  cronExpression: string;
  timezone: string;
  enabled: boolean;
  overlap: 'skip' | 'queue' | 'allow';
  catchUp: 'one' | 'none' | 'all';
  /** When it starts a run next; null while it is paused. */
  nextFireAt: string | null;
  /** Times whose runs wait for the run before them (`overlap: "queue"`). */
  waiting: string[];
  /** The latest time that something became of. */
  lastFire: ScheduleFire | null;
  /** The execution that it started last. */
  lastExecutionId: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  input: { [key: string]: unknown };
  /** The next five times. */
  nextFires: string[];
}

export interface ScheduleError {
  code: string;
  message: string;
}

export interface ScheduleFire {
  /** The time that it was due. */
  time: string;
  /** `waiting` for its turn, `skipped` because a run was not over, `missed` in an outage, or `failed` to start. */
  outcome: 'started' | 'waiting' | 'skipped' | 'missed' | 'failed';
  error: ScheduleError | null;
}

export interface ScheduleSummary {
  id: string;
  podId: string;
  workflowId: string;
  version: string;
  name: string;
  cronExpression: string;
  timezone: string;
  enabled: boolean;
  overlap: 'skip' | 'queue' | 'allow';
  catchUp: 'one' | 'none' | 'all';
  /** When it starts a run next; null while it is paused. */
  nextFireAt: string | null;
  /** Times whose runs wait for the run before them (`overlap: "queue"`). */
  waiting: string[];
  /** The latest time that something became of. */
  lastFire: ScheduleFire | null;
  /** The execution that it started last. */
  lastExecutionId: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface Secret {
  /** names are 1 to 64 letters, digits and "_", the first no digit */
  name: string;
  updatedBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface SigningKey {
  id: string;
  name: string;
  algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA';
  role: 'viewer' | 'editor' | 'admin' | 'owner';
  publicKey: string | null;
  audience: string | null;
  issuer: string | null;
  createdBy: string;
  createdAt: string;
  revokedAt: string | null;
  revokedBy: string | null;
}

export interface StartedExecution {
  id: string;
  status: 'queued';
}

export interface StatusError {
  statusCode: number;
  /** What went wrong and what to do, for people. */
  message: string;
  /** The status in words: `Not Found`. */
  error: string;
  requestId: string;
  details: Problem[];
}

export interface StreamTicket {
  /** Shown this once. */
  ticket: string;
  expiresAt: string;
}

export interface Workspace {
  id: string;
  slug: string;
  name: string;
  createdAt: string;
}

/** Every call by its method and path. */
export interface Operations {
  'GET /workspaces/{wId}': {
    query: undefined;
    body: undefined;
    answer: Workspace;
  };
  'PATCH /workspaces/{wId}': {
    query: undefined;
    body: {
      name?: string | undefined;
      /** a slug: lower-case letters, digits and inner hyphens, at most 63 */
      slug?: string | undefined;
    };
    answer: Workspace;
  };
  'GET /workspaces/{wId}/pods': {
    query: {
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: Pod[];
  };
  'POST /workspaces/{wId}/pods': {
    query: undefined;
    body: {
      name: string;
      /** a slug: lower-case letters, digits and inner hyphens, at most 63 */
      slug?: string | undefined;
    };
    answer: Pod;
  };
  'GET /workspaces/{wId}/pods/{podId}': {
    query: undefined;
    body: undefined;
    answer: Pod;
  };
  'PUT /workspaces/{wId}/pods/{podId}': {
    query: undefined;
    body: {
      name: string;
      /** a slug: lower-case letters, digits and inner hyphens, at most 63 */
      slug?: string | undefined;
    };
    answer: Pod;
  };
  'DELETE /workspaces/{wId}/pods/{podId}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/members': {
    query: {
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: Member[];
  };
  'POST /workspaces/{wId}/members': {
    query: undefined;
    body: {
      userId: string;
      role: 'viewer' | 'editor' | 'admin' | 'owner';
    };
    answer: Member;
  };
  'PATCH /workspaces/{wId}/members/{userId}': {
    query: undefined;
    body: {
      role: 'viewer' | 'editor' | 'admin' | 'owner';
    };
    answer: Member;
  };
  'DELETE /workspaces/{wId}/members/{userId}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/api-keys': {
    query: {
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: ApiKey[];
  };
  'POST /workspaces/{wId}/api-keys': {
    query: undefined;
    body: {
      name: string;
      role: 'viewer' | 'editor' | 'admin' | 'owner';
      userId?: string | undefined;
      expiresAt?: string | undefined;
      /** Id or slug of the one pod that it is for. */
      podId?: string | undefined;
    };
    answer: NewApiKey;
  };
  'DELETE /workspaces/{wId}/api-keys/{keyId}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/signing-keys': {
    query: {
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: SigningKey[];
  };
  'POST /workspaces/{wId}/signing-keys': {
    query: undefined;
    body: {
      name: string;
      algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA';
      role: 'viewer' | 'editor' | 'admin' | 'owner';
      publicKey?: string | undefined;
      secret?: string | undefined;
      audience?: string | undefined;
      issuer?: string | undefined;
    };
    answer: NewSigningKey;
  };
  'DELETE /workspaces/{wId}/signing-keys/{keyId}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/secrets': {
    query: undefined;
    body: undefined;
    answer: Secret[];
  };
  'PUT /workspaces/{wId}/secrets/{name}': {
    query: undefined;
    body: {
      value: string;
    };
    answer: Secret;
  };
  'DELETE /workspaces/{wId}/secrets/{name}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/audit': {
    query: {
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
      /** lines about what this user did */
      actor?: string | undefined;
      action?: 'workspace.created' | 'workspace.updated' | 'pod.created' | 'pod.updated' | 'pod.deleted' | 'workflow.created' | 'workflow.cloned' | 'workflow.updated' | 'workflow.published' | 'workflow.archived' | 'workflow.unarchived' | 'workflow.deleted' | 'member.added' | 'member.changed' | 'member.removed' | 'api_key.created' | 'api_key.revoked' | 'signing_key.created' | 'signing_key.revoked' | 'secret.created' | 'secret.updated' | 'secret.deleted' | 'webhook.created' | 'webhook.deleted' | 'webhook.disabled' | 'webhook.enabled' | 'webhook.redelivered' | 'schedule.created' | 'schedule.updated' | 'schedule.deleted' | 'inbound_webhook.created' | 'inbound_webhook.updated' | 'inbound_webhook.rotated' | 'inbound_webhook.deleted' | 'tenant.refused' | undefined;
      /** the earliest that is shown */
      from?: string | undefined;
      /** the first that is not shown any more */
      to?: string | undefined;
    };
    body: undefined;
    answer: AuditLine[];
  };
  'POST /workspaces/{wId}/pods/{podId}/executions': {
    query: undefined;
    body: {
      /** Id or key of a workflow of the pod. */
      workflowId: string;
      /** What the workflow’s `payload` asks for. */
      input?: { [key: string]: unknown } | undefined;
      /** "latest", "published", "1.0.N" or a number */
      version?: string | number | undefined;
    };
    answer: Execution;
  };
  'GET /workspaces/{wId}/pods/{podId}/executions': {
    query: {
      status?: 'queued' | 'running' | 'suspended' | 'completed' | 'failed' | 'cancelled' | undefined;
      /** Id or key of a workflow of the pod. */
      workflowId?: string | undefined;
      /** default 50 */
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: ExecutionSummary[];
  };
  'GET /workspaces/{wId}/pods/{podId}/executions/{id}': {
    query: undefined;
    body: undefined;
    answer: Execution;
  };
  'DELETE /workspaces/{wId}/pods/{podId}/executions/{id}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'GET /workspaces/{wId}/pods/{podId}/executions/{id}/explain': {
    query: undefined;
    body: undefined;
    answer: ExecutionExplanation;
  };
  'GET /workspaces/{wId}/pods/{podId}/executions/{id}/events': {
    query: {
      /** the `id:` of the last event that was read, in the place of the header `Last-Event-ID` */
      lastEventId?: string | undefined;
      /** In the place of a credential: opens this one stream, once. */
      ticket?: string | undefined;
    };
    body: undefined;
    answer: ExecutionEvent | undefined;
  };
  'POST /workspaces/{wId}/pods/{podId}/executions/{id}/events/ticket': {
    query: undefined;
    body: undefined;
    answer: StreamTicket;
  };
  'GET /workspaces/{wId}/pods/{podId}/executions/{id}/logs': {
    query: {
      nodeId?: string | undefined;
      level?: 'debug' | 'info' | 'warn' | 'error' | undefined;
      /** the `id` of the last line that was read */
      after?: string | undefined;
      /** default 200 */
      limit?: number | undefined;
    };
    body: undefined;
    answer: ExecutionLog[];
  };
  'PATCH /workspaces/{wId}/pods/{podId}/executions/{id}/respond': {
    query: undefined;
    body: {
      /** Chooses the first action that approves, or the first that rejects. */
      approved?: boolean | undefined;
      /** In the place of `approved`: the action itself, by its id. */
      actionId?: string | undefined;
      /** Beside `approved` or `actionId`. */
      reason?: string | undefined;
      /** To a question. */
      answer?: unknown;
      /** The fields that are asked for; beside `approved` or `actionId`, those of the action. */
      data?: { [key: string]: unknown } | undefined;
      /** Which node is answered; needed when several ask. */
      nodeId?: string | undefined;
    };
    answer: Execution;
  };
  'POST /workspaces/{wId}/pods/{podId}/executions/{id}/replay': {
    query: undefined;
    body: {
      /** Default the start. */
      fromNodeId?: string | undefined;
    };
    answer: Execution;
  };
  'GET /workspaces/{wId}/pods/{podId}/workflows': {
    query: {
      search?: string | undefined;
      status?: 'draft' | 'testing' | 'published' | 'archived' | undefined;
      /** default 50 */
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: PodWorkflowSummary[];
  };
  'POST /workspaces/{wId}/pods/{podId}/workflows': {
    query: undefined;
    body: { [key: string]: unknown };
    answer: PodWorkflow;
  };
  'GET /workspaces/{wId}/pods/{podId}/workflows/{id}': {
    query: {
      /** "latest", "published", "1.0.N" or a number */
      version?: string | undefined;
    };
    body: undefined;
    answer: PodWorkflow;
  };
  'PUT /workspaces/{wId}/pods/{podId}/workflows/{id}': {
    query: undefined;
    body: {
      status?: 'draft' | 'testing' | undefined;
    };
    answer: PodWorkflow;
  };
  'POST /workspaces/{wId}/pods/{podId}/workflows/{id}/deploy': {
    query: undefined;
    body: {
      /** "latest", "published", "1.0.N" or a number */
      version?: string | number | undefined;
    };
    answer: PodWorkflow;
  };
  'GET /workspaces/{wId}/pods/{podId}/workflows/{id}/versions': {
    query: {
      /** default 50 */
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: PodWorkflowVersion[];
  };
  'GET /workspaces/{wId}/pods/{podId}/schedules': {
    query: {
      /** default 50 */
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: ScheduleSummary[];
  };
  'POST /workspaces/{wId}/pods/{podId}/schedules': {
    query: undefined;
    body: {
      /** Id or key of a workflow of the pod. */
      workflowId: string;
      name: string;
      /** Five fields: minute, hour, day of month, month, day of week. `30 9 * * 1-5` is 09:30 on workdays. */
      cronExpression: string;
      /** A name of the IANA database, such as `Europe/Berlin`; default `UTC`. */
      timezone?: string | undefined;
      /** What each run is started with; default nothing. */
      input?: { [key: string]: unknown } | undefined;
      /** `false` pauses it: what would be due meanwhile is forgotten. */
      enabled?: boolean | undefined;
      /** While any of its runs is not over: no run (`skip`, the default), one as soon as they are (`queue`), or one at once. */
      overlap?: 'skip' | 'queue' | 'allow' | undefined;
      /** After an outage: a run for the latest time that was missed (`one`, the default), for none, or for each. */
      catchUp?: 'one' | 'none' | 'all' | undefined;
      /** "latest" (default), "published", "1.0.N" or a number: which version a run is of, when it starts */
      version?: string | number | undefined;
    };
    answer: Schedule;
  };
  'GET /workspaces/{wId}/pods/{podId}/schedules/{id}': {
    query: undefined;
    body: undefined;
    answer: Schedule;
  };
  'PATCH /workspaces/{wId}/pods/{podId}/schedules/{id}': {
    query: undefined;
    body: {
      name?: string | undefined;
      /** Five fields: minute, hour, day of month, month, day of week. `30 9 * * 1-5` is 09:30 on workdays. */
      cronExpression?: string | undefined;
      /** A name of the IANA database, such as `Europe/Berlin`; default `UTC`. */
      timezone?: string | undefined;
      /** What each run is started with; default nothing. */
      input?: { [key: string]: unknown } | undefined;
      /** `false` pauses it: what would be due meanwhile is forgotten. */
      enabled?: boolean | undefined;
      /** While any of its runs is not over: no run (`skip`, the default), one as soon as they are (`queue`), or one at once. */
      overlap?: 'skip' | 'queue' | 'allow' | undefined;
      /** After an outage: a run for the latest time that was missed (`one`, the default), for none, or for each. */
      catchUp?: 'one' | 'none' | 'all' | undefined;
      /** "latest" (default), "published", "1.0.N" or a number: which version a run is of, when it starts */
      version?: string | number | undefined;
    };
    answer: Schedule;
  };
  'DELETE /workspaces/{wId}/pods/{podId}/schedules/{id}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'POST /workspaces/{wId}/pods/{podId}/schedules/{id}/run': {
    query: undefined;
    body: undefined;
    answer: StartedExecution;
  };
  'GET /workspaces/{wId}/pods/{podId}/webhooks': {
    query: {
      /** default 50 */
      limit?: number | undefined;
      /** X-Next-Cursor of the page before */
      cursor?: string | undefined;
    };
    body: undefined;
    answer: InboundWebhook[];
  };
  'POST /workspaces/{wId}/pods/{podId}/webhooks': {
    query: undefined;
    body: {
      /** Id or key of a workflow of the pod. */
      workflowId: string;
      name: string;
      /** What senders sign with, instead of one that is made here: `whsec_` and base64, or 24 to 256 visible characters. */
      secret?: string | undefined;
      /** `true`: it has no secret, and takes what nobody has signed. */
      public?: boolean | undefined;
      /** What makes two messages one, which start one run: their `Webhook-Id` (`id`, the default), or their `body`, for senders that sign nothing else and never send the same twice. */
      dedupe?: 'id' | 'body' | undefined;
      /** While it is `false`, messages are refused with 409. */
      enabled?: boolean | undefined;
      /** "latest" (default), "published", "1.0.N" or a number: which version a run is of, when it starts */
      version?: string | number | undefined;
    };
    answer: NewInboundWebhook;
  };
  'GET /workspaces/{wId}/pods/{podId}/webhooks/{id}': {
    query: undefined;
    body: undefined;
    answer: InboundWebhook;
  };
  'PATCH /workspaces/{wId}/pods/{podId}/webhooks/{id}': {
    query: undefined;
    body: {
      name?: string | undefined;
      /** What makes two messages one, which start one run: their `Webhook-Id` (`id`, the default), or their `body`, for senders that sign nothing else and never send the same twice. */
      dedupe?: 'id' | 'body' | undefined;
      /** While it is `false`, messages are refused with 409. */
      enabled?: boolean | undefined;
      /** "latest" (default), "published", "1.0.N" or a number: which version a run is of, when it starts */
      version?: string | number | undefined;
    };
    answer: InboundWebhook;
  };
  'DELETE /workspaces/{wId}/pods/{podId}/webhooks/{id}': {
    query: undefined;
    body: undefined;
    answer: undefined;
  };
  'POST /workspaces/{wId}/pods/{podId}/webhooks/{id}/rotate': {
    query: undefined;
    body: {
      /** What senders sign with, instead of one that is made here: `whsec_` and base64, or 24 to 256 visible characters. */
      secret?: string | undefined;
      /** For how long the secret before counts too; default a day, 0 ends it at once. */
      graceMs?: number | undefined;
    };
    answer: NewInboundWebhook;
  };
}
