// Plans of the versions that are in use, built once each. Versions are immutable, so nothing here ever goes stale.

import { LRUCache } from 'lru-cache';
import { AppError } from '../core/errors.ts';
import { buildPlan, type Plan } from '../core/plan.ts';
import type { StepTypes } from '../core/step-type.ts';
import type { Database } from '../store/db.ts';
import { findVersion } from '../store/definitions.ts';

export interface Plans {
  /** Throws `version_not_found`, or `UnknownStepTypeError` when this process cannot run the version. */
  get(definitionId: string, version: number): Plan | Promise<Plan>;
}

export function createPlans(db: Database, types: StepTypes): Plans {
  const cache = new LRUCache<string, Plan | Promise<Plan>>({ max: 500 });

  async function load(key: string, definitionId: string, version: number): Promise<Plan> {
    try {
      const found = await findVersion(db, { definitionId, version });
      if (!found)
        throw new AppError('version_not_found', `Version ${version} of workflow ${definitionId} does not exist`);
      const plan = buildPlan(found.body, (name) => types.get(name));
      cache.set(key, plan);
      return plan;
    } catch (error) {
      cache.delete(key);
      throw error;
    }
  }

  return {
    get(definitionId, version) {
      const key = `${definitionId}.${version}`;
      const cached = cache.get(key);
      if (cached) return cached;
      const loading = load(key, definitionId, version);
      cache.set(key, loading);
      return loading;
    },
  };
}
