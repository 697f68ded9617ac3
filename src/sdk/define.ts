// The public module `holdpoint/define`: a workflow written in TypeScript, where an edge to a step that is not there, or on
// an action that nobody offers, does not compile. What it answers is the definition as JSON has it, nothing more.

import type { ApprovalStep, ConditionStep, Json, JsonObject, Retry, Step } from './define-steps.ts';

export type * from './define-steps.ts';

type Presets = 'approve' | 'reject';
/** Names that an edge from this step may have as its `on`, beside those that every step has. */
type Ends<From> = From extends { readonly actions: readonly { readonly id: infer Id extends string }[] }
  ? Id | 'approved' | 'rejected'
  : From extends ApprovalStep
    ? Presets | 'approved' | 'rejected'
    : From extends ConditionStep
      ? 'true' | 'false'
      : never;

/** An edge that leaves one of these steps for any of them. */
type EdgeFrom<From extends Step, All extends Step> = From extends Step
  ? {
      readonly from: From['id'];
      readonly to: All['id'];
      readonly on?: Ends<From> | 'error' | 'timeout';
      readonly condition?: string;
      readonly default?: boolean;
      readonly label?: string;
      readonly [extension: `x-${string}`]: Json;
    }
  : never;

/** The keys that a step of this type may have, `x-…` among them. */
type KeysOf<Type, Kind = Step> = Kind extends { readonly type: infer Types }
  ? Type extends Types
    ? keyof Kind
    : never
  : never;
/** Refuses what TypeScript lets through where it infers a type: a key that no such step has. */
type Exact<Some> = Some extends { readonly type: infer Type }
  ? { readonly [Key in Exclude<keyof Some, KeysOf<Type>>]: never }
  : never;

export interface WorkflowOf<Steps extends readonly Step[]> {
  readonly name: string;
  readonly description?: string;
  readonly initialStep: Steps[number]['id'];
  readonly steps: Steps & { readonly [Index in keyof Steps]: Exact<Steps[Index]> };
  readonly edges?: readonly EdgeFrom<Steps[number], Steps[number]>[];
  /** What a run is started with: a field map, or JSON Schema when its `type` is `object`. */
  readonly payload?: JsonObject;
  /** The result, where the `end-flow` says none. */
  readonly output?: Json;
  /** The step that cleans up when a run is cancelled. */
  readonly onCancel?: Steps[number]['id'];
  readonly deadlineMs?: number;
  readonly defaults?: { readonly retry?: Retry; readonly timeoutMs?: number };
  readonly [extension: `x-${string}`]: Json;
}

/** A definition as `workflows.create` takes it. */
export interface WorkflowDefinition {
  readonly name: string;
  readonly initialStep: string;
  readonly steps: readonly object[];
  readonly edges: readonly object[];
  readonly [key: string]: unknown;
}

/** The definition, checked by the compiler; at run time it is what was given, with `edges` if there were none. */
export function defineWorkflow<const Steps extends readonly Step[]>(workflow: WorkflowOf<Steps>): WorkflowDefinition {
  return { ...workflow, edges: workflow.edges ?? [] };
}

/** The edges of a chain: `chain('a', 'b', 'c')` leads from a to b and from b to c. */
export function chain<const Ids extends readonly [string, string, ...string[]]>(
  ...ids: Ids
): { readonly from: Ids[number]; readonly to: Ids[number] }[] {
  return ids.slice(1).map((to, index) => ({ from: ids[index]!, to }));
}
