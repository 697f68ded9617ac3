// Watches an execution to its end and says how it went: its steps as lines, or its events as JSON, one a line.

import type { Execution } from '../sdk/api-types.ts';
import { ExecutionError } from '../sdk/errors.ts';
import type { Session } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { formatDuration } from './output.ts';
import { Progress } from './progress.ts';

/** Answers the exit code. Ctrl-C ends the watching and not the execution. */
export async function followExecution(
  { client, output, program }: Session,
  id: string,
  { timeoutMs }: { timeoutMs?: number | undefined },
): Promise<number> {
  const interrupted = new AbortController();
  const onInterrupt = () => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  // Says at once what is wrong; once it is followed, every failure might be a restart of the server.
  await client.getExecution(id);
  const progress = output.isJson ? null : new Progress(output, { id, program });
  try {
    const execution = await client
      .waitForCompletion(id, {
        timeoutMs,
        signal: interrupted.signal,
        onEvent: (event) => (progress === null ? output.line(JSON.stringify(event)) : progress.show(event)),
        onRetry: (error) => progress?.lose(error.message),
      })
      .catch(readEnd);
    progress?.stop();
    output.result(execution, formatEnd(execution, output.paint));
    return execution.status === 'completed' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    progress?.stop();
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write(`It goes on. Watch it again: ${program} status ${id} --follow\n`);
    return EXIT.interrupted;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

function readEnd(error: unknown): Execution {
  if (error instanceof ExecutionError) return error.execution;
  throw error;
}

function formatEnd(execution: Execution, paint: Session['output']['paint']): string[] {
  const { status, output, error, cancellation, startedAt, createdAt, finishedAt } = execution;
  const took = finishedAt === null ? 0 : Date.parse(finishedAt) - Date.parse(startedAt ?? createdAt);
  const end = `${status} in ${formatDuration(Math.max(0, took))}`;
  if (status === 'completed') return [paint('green', `✓ ${end}`), JSON.stringify(output, null, 2)];
  const reason = error?.message ?? cancellation?.reason ?? null;
  return [paint('red', `✗ ${end}${reason === null ? '' : `: ${reason}`}`)];
}
