// Rows into the words of a pod's workflows (API.md §3): camelCase, bare objects and arrays, and before each the JSON Schema of what
// comes out, for OpenAPI; a test holds real answers against them. Pure and total.

import type { JsonObject } from '../../core/json.ts';
import { workflowStatus } from '../../core/publishing.ts';
import type { DefinitionRow, VersionRow } from '../../store/definitions.ts';
import { boolean, integer, json, listOf, namedObject, oneOf, orNull, text, time, uuid } from '../json-schema.ts';
import { presentTime } from '../times.ts';

const workflowSummary = {
  id: uuid,
  key: text,
  podId: uuid,
  name: text,
  description: orNull(text),
  status: oneOf('draft', 'testing', 'published', 'archived'),
  version: integer,
  deployedVersion: { ...orNull(integer), description: 'The version that was deployed last.' },
  createdBy: text,
  createdAt: time,
  updatedAt: time,
};

export const workflowSummaryAnswer = namedObject('PodWorkflowSummary', workflowSummary);

export function presentWorkflowSummary(row: DefinitionRow): JsonObject {
  return {
    id: row.id,
    key: row.key,
    podId: row.podId,
    name: row.name,
    description: row.description,
    status: workflowStatus(row),
    version: row.latestVersion,
    deployedVersion: row.publishedVersion,
    createdBy: row.createdBy,
    createdAt: presentTime(row.createdAt),
    updatedAt: presentTime(row.updatedAt),
  };
}

/** The keys of the definition stand beside these. */
export const workflowAnswer = namedObject('PodWorkflow', {
  ...workflowSummary,
  initialStep: text,
  steps: listOf(json),
  edges: listOf(json),
});

/** One version of a workflow: its definition, with what is known about it; `version` is the one shown. */
export function presentWorkflow(row: DefinitionRow, { version, body }: VersionRow): JsonObject {
  const { name, description = null, ...graph } = body;
  return {
    ...(graph as unknown as JsonObject), // a definition is JSON; its interface only has no index signature
    ...presentWorkflowSummary(row),
    name,
    description,
    version,
  };
}

export const versionAnswer = namedObject('PodWorkflowVersion', {
  workflowId: uuid,
  version: integer,
  status: oneOf('draft', 'testing', 'published'),
  createdBy: text,
  createdAt: time,
  deployedAt: orNull(time),
  isLatest: boolean,
  isDeployed: boolean,
});

export function presentVersion(row: DefinitionRow, version: Omit<VersionRow, 'body'>): JsonObject {
  return {
    workflowId: row.id,
    version: version.version,
    status: version.status,
    createdBy: version.createdBy,
    createdAt: presentTime(version.createdAt),
    deployedAt: presentTime(version.publishedAt),
    isLatest: version.version === row.latestVersion,
    isDeployed: version.version === row.publishedVersion,
  };
}
