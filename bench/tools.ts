// The no-op steps of the bench: `echo` ships with Holdpoint and is pure; this one is claimed like a tool with an effect.

import { defineTool } from '../src/steps/tools.ts';

export const noop = defineTool({ name: 'noop', handler: () => ({}) });
