// Tools that do with a secret what no tool should: log it, return it, throw it.

import { defineTool, StepError } from '../../src/steps/tools.ts';

export const leak = defineTool<{ secret: string; how: string }>({
  name: 'leak',
  async handler({ secret: placeholder, how }, context) {
    const { secret } = (await context.reveal())['args'] as { secret: string };
    const echoes = {
      secret,
      [secret]: Buffer.from(`user:${secret}`).toString('base64'),
      url: encodeURIComponent(secret),
    };
    context.log.error(`the secret is ${secret}`, echoes);
    if (how === 'throw') throw new Error(`it broke with ${secret}`);
    if (how === 'fail') throw new StepError(secret, `it failed with ${secret}`, { retryable: false });
    return { ...echoes, placeholder };
  },
});
