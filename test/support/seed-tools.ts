// Tools that fail with the words of seed 000.

import { defineTool, StepError } from '../../src/steps/tools.ts';

const MESSAGE = 'Connection timeout to external service';

/** Fails for good, or is only away for its first `times` attempts. */
export const call = defineTool<{ times?: number }>({
  name: 'external-service',
  handler({ times }, { attempt }) {
    if (times === undefined) throw new StepError('connection_timeout', MESSAGE, { retryable: false });
    if (attempt <= times) throw new StepError('connection_timeout', MESSAGE);
    return { answered: true };
  },
});
