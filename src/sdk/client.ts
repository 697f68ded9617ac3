// The client of the executions API: triggers executions, follows them, answers them. Each method is one call, or a few that
// belong together; addresses, retries and streams are the files beside it.

import { type ApiKeys, createApiKeys } from './api-keys.ts';
import type {
  Execution,
  ExecutionExplanation,
  ExecutionLog,
  ExecutionSummary,
  Operations,
  StreamTicket,
} from './api-types.ts';
import { ExecutionError, TimeoutError } from './errors.ts';
import { followEvents, type StreamedEvent, type StreamOptions } from './event-stream.ts';
import { askHealth, type Health } from './health.ts';
import { createMembers, type Members } from './members.ts';
import { createPods, type Pods } from './pods.ts';
import { createSchedules, type Schedules } from './schedules.ts';
import { createSecrets, type Secrets } from './secrets.ts';
import { createSigningKeys, type SigningKeys } from './signing-keys.ts';
import { type CallOptions, type ClientOptions, type Page, Transport } from './transport.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';
import { createWorkflows, type Workflows } from './workflows.ts';
import { createWorkspace, type OwnWorkspace } from './workspace.ts';

const EXECUTIONS = '/workspaces/{wId}/pods/{podId}/executions';
const EXECUTION = `${EXECUTIONS}/{id}` as const;

export interface TriggerOptions extends CallOptions {
  input?: Record<string, unknown> | undefined;
  /** `latest` (default), `published`, `1.0.3` or `3`. */
  version?: string | undefined;
}

export interface WaitOptions {
  /** Default: as long as it takes. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Is told of every event meanwhile. */
  onEvent?: OnEvent | undefined;
  /** Is told why there is no connection, each time before the next one is tried. */
  onRetry?: StreamOptions['onRetry'];
}

export type OnEvent = (event: StreamedEvent) => void | Promise<void>;
export type ExecutionsQuery = NonNullable<Operations[`GET ${typeof EXECUTIONS}`]['query']>;
export type LogsQuery = NonNullable<Operations[`GET ${typeof EXECUTION}/logs`]['query']>;
export type ExecutionResponse = Operations[`PATCH ${typeof EXECUTION}/respond`]['body'];

export interface DecideOptions extends CallOptions {
  reason?: string | undefined;
  /** Which step is meant, where several wait. */
  nodeId?: string | undefined;
}

/** The server says something every 15 s. */
const SILENCE_MS = 45_000;
const TERMINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

export class HoldpointClient {
  readonly workflows: Workflows;
  readonly schedules: Schedules;
  readonly webhooks: Webhooks;
  readonly workspace: OwnWorkspace;
  readonly pods: Pods;
  readonly members: Members;
  readonly apiKeys: ApiKeys;
  readonly signingKeys: SigningKeys;
  readonly secrets: Secrets;
  readonly #options: ClientOptions;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options);
    this.workflows = createWorkflows(this.#transport);
    this.schedules = createSchedules(this.#transport);
    this.webhooks = createWebhooks(this.#transport);
    this.workspace = createWorkspace(this.#transport);
    this.pods = createPods(this.#transport);
    this.members = createMembers(this.#transport);
    this.apiKeys = createApiKeys(this.#transport);
    this.signingKeys = createSigningKeys(this.#transport);
    this.secrets = createSecrets(this.#transport);
  }

  /** Starts an execution and answers it as it was created, `queued`. */
  async trigger(workflowId: string, { input, version, ...options }: TriggerOptions = {}): Promise<Execution> {
    return this.#transport.call(`POST ${EXECUTIONS}`, { ...options, body: { workflowId, input, version } });
  }

  /** Starts an execution and waits until it is completed. Throws as `waitForCompletion`. */
  async run(workflowId: string, options: TriggerOptions & WaitOptions = {}): Promise<Execution> {
    const { timeoutMs, onEvent, onRetry, ...start } = options;
    const { id } = await this.trigger(workflowId, start);
    return this.waitForCompletion(id, { timeoutMs, onEvent, onRetry, signal: start.signal });
  }

  async getExecution(id: string, options: CallOptions = {}): Promise<Execution> {
    return this.#transport.call(`GET ${EXECUTION}`, { ...options, path: { id } });
  }

  /** Why it does not move: what each of its open nodes waits for, and until when. */
  async explain(id: string, options: CallOptions = {}): Promise<ExecutionExplanation> {
    return this.#transport.call(`GET ${EXECUTION}/explain`, { ...options, path: { id } });
  }

  /** Newest first. */
  async listExecutions(query: ExecutionsQuery = {}, options: CallOptions = {}): Promise<Page<ExecutionSummary>> {
    return this.#transport.page(`GET ${EXECUTIONS}`, { ...options, query });
  }

  /**
   * Waits until the execution has ended, through everything that it waits for, and answers it. Throws `ExecutionError` when
   * it failed or was cancelled, `TimeoutError` when it was not done in time, the signal's reason when that aborts.
   */
  async waitForCompletion(id: string, { timeoutMs, signal, ...listeners }: WaitOptions = {}): Promise<Execution> {
    const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const either =
      timeout !== undefined && signal !== undefined ? AbortSignal.any([signal, timeout]) : (signal ?? timeout);
    try {
      const execution = await this.#waitForEnd(id, { signal: either, ...listeners });
      if (execution.status === 'completed') return execution;
      throw new ExecutionError(execution);
    } catch (error) {
      if (timeout?.aborted && error === timeout.reason) throw new TimeoutError(id, timeoutMs ?? 0);
      throw error;
    }
  }

  async #waitForEnd(id: string, { signal, onEvent, onRetry }: WaitOptions): Promise<Execution> {
    let after = 0;
    for (;;) {
      for await (const event of this.streamEvents(id, { signal, after, onRetry })) {
        after = event.sequence;
        await onEvent?.(event);
      }
      const execution = await this.getExecution(id, { signal });
      // Not so when somebody retries it at this moment: then it is followed on.
      if (TERMINAL.has(execution.status)) return execution;
    }
  }

  /**
   * What happens in the execution, from its start or from `after`, then live until it has ended: every event once, through
   * lost connections and restarts of the server. With `onEvent` the promise resolves at the end; without it the events are
   * iterated over. Throws `ApiError` when the server refuses for good, the signal's reason when that aborts.
   */
  streamEvents(id: string, options: StreamOptions & { onEvent: OnEvent }): Promise<void>;
  streamEvents(id: string, options?: StreamOptions): AsyncGenerator<StreamedEvent>;
  streamEvents(
    id: string,
    { onEvent, ...options }: StreamOptions & { onEvent?: OnEvent } = {},
  ): Promise<void> | AsyncGenerator<StreamedEvent> {
    const events = followEvents(
      {
        connect: (lastEventId, signal) =>
          this.#transport.open(`GET ${EXECUTION}/events`, {
            path: { id },
            signal,
            headers: { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) },
          }),
        hasEnded: async (signal) => TERMINAL.has((await this.getExecution(id, { signal })).status),
        silenceMs: this.#options.streamSilenceMs ?? SILENCE_MS,
      },
      options,
    );
    return onEvent === undefined ? events : tellAll(events, onEvent);
  }

  /**
   * What opens the live stream of this execution, once and within a minute, for a browser that has no credential: `url` is for
   * an `EventSource`, which needs a new one whenever its connection ends. Where there is a credential use `streamEvents`.
   */
  async createStreamTicket(id: string, options: CallOptions = {}): Promise<StreamTicket & { url: string }> {
    const path = { id };
    const issued = await this.#transport.call(`POST ${EXECUTION}/events/ticket`, { ...options, path });
    const query = { ticket: issued.ticket };
    return { ...issued, url: this.#transport.locate(`GET ${EXECUTION}/events`, { path, query }) };
  }

  /** Answers what the execution waits for: a decision, an answer, or the fields asked for. */
  async respond(id: string, response: ExecutionResponse, options: CallOptions = {}): Promise<Execution> {
    return this.#transport.call(`PATCH ${EXECUTION}/respond`, { ...options, path: { id }, body: response });
  }

  async approve(id: string, { reason, nodeId, ...options }: DecideOptions = {}): Promise<Execution> {
    return this.respond(id, { approved: true, reason, nodeId }, options);
  }

  async reject(id: string, { reason, nodeId, ...options }: DecideOptions = {}): Promise<Execution> {
    return this.respond(id, { approved: false, reason, nodeId }, options);
  }

  /** A new execution of the same version and input: from the start, or with what came before a node copied. */
  async replay(id: string, { fromNodeId, ...options }: CallOptions & { fromNodeId?: string } = {}): Promise<Execution> {
    return this.#transport.call(`POST ${EXECUTION}/replay`, { ...options, path: { id }, body: { fromNodeId } });
  }

  /** At once when nothing of it runs, else as soon as what runs has heard of it. */
  async cancel(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.call(`DELETE ${EXECUTION}`, { ...options, path: { id } });
  }

  /** What its nodes wrote down, oldest first. */
  async logs(id: string, query: LogsQuery = {}, options: CallOptions = {}): Promise<ExecutionLog[]> {
    return this.#transport.call(`GET ${EXECUTION}/logs`, { ...options, path: { id }, query });
  }

  /** Whether the server can serve, and which part of it is not ready. Asked once, without a credential. */
  async getHealth(options: { signal?: AbortSignal } = {}): Promise<Health> {
    return askHealth(this.#options, options.signal);
  }
}

async function tellAll(events: AsyncGenerator<StreamedEvent>, onEvent: OnEvent): Promise<void> {
  for await (const event of events) await onEvent(event);
}
