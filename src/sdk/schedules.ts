// The schedules of the pod: what starts executions by the clock.

import type { Operations, Schedule, ScheduleSummary, StartedExecution } from './api-types.ts';
import type { CallOptions, Page, Transport } from './transport.ts';

const SCHEDULES = '/workspaces/{wId}/pods/{podId}/schedules';
const SCHEDULE = `${SCHEDULES}/{id}` as const;

export type SchedulesQuery = NonNullable<Operations[`GET ${typeof SCHEDULES}`]['query']>;
export type ScheduleRequest = Operations[`POST ${typeof SCHEDULES}`]['body'];
export type ScheduleChanges = Operations[`PATCH ${typeof SCHEDULE}`]['body'];

export interface Schedules {
  list(query?: SchedulesQuery, options?: CallOptions): Promise<Page<ScheduleSummary>>;
  /** With its next fires. */
  get(id: string, options?: CallOptions): Promise<Schedule>;
  create(request: ScheduleRequest, options?: CallOptions): Promise<Schedule>;
  /** `enabled: false` pauses it. */
  update(id: string, changes: ScheduleChanges, options?: CallOptions): Promise<Schedule>;
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Starts an execution now, whatever the clock says. */
  run(id: string, options?: CallOptions): Promise<StartedExecution>;
}

export function createSchedules(transport: Transport): Schedules {
  return {
    list: (query = {}, options = {}) => transport.page(`GET ${SCHEDULES}`, { ...options, query }),
    get: (id, options = {}) => transport.call(`GET ${SCHEDULE}`, { ...options, path: { id } }),
    create: (body, options = {}) => transport.call(`POST ${SCHEDULES}`, { ...options, body }),
    update: (id, body, options = {}) => transport.call(`PATCH ${SCHEDULE}`, { ...options, path: { id }, body }),
    delete: (id, options = {}) => transport.call(`DELETE ${SCHEDULE}`, { ...options, path: { id } }),
    run: (id, options = {}) => transport.call(`POST ${SCHEDULE}/run`, { ...options, path: { id } }),
  };
}
