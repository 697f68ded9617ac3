// The no-op steps of the bench: `echo` ships with Holdpoint and is pure; this one is claimed like a tool with an effect.
// Plain JavaScript, so that the measured worker runs as in production, without a TypeScript loader in its process.

import { defineTool } from 'holdpoint/tools';

export const noop = defineTool({ name: 'noop', handler: () => ({}) });
