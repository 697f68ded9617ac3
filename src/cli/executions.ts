// The commands about executions: run, status, logs, approve, reject, resume, cancel, replay. Each asks the client for one
// thing and prints the answer.

import type { Command } from 'commander';
import type { Execution, ExecutionLog, ExecutionSummary } from '../sdk/api-types.ts';
import type { HoldpointClient, LogsQuery } from '../sdk/client.ts';
import { defineAction, readJsonObject, readSeconds, type Session } from './command.ts';
import { UsageError } from './exit-codes.ts';
import { followExecution } from './follow.ts';
import { formatDuration, formatTable } from './output.ts';
import { suggestAnswers } from './suggestions.ts';

const LOG_PAGE = 500;

interface FollowFlags {
  follow?: true;
  timeout?: string;
}

export function addExecutionCommands(program: Command): void {
  addRun(program);
  addStatus(program);
  addLogs(program);
  addDecisions(program);
  addResume(program);
  addCancel(program);
  addReplay(program);
}

function withFollow(command: Command): Command {
  return command
    .option('-f, --follow', 'watch it to its end; the exit code says how that was')
    .option('-t, --timeout <seconds>', 'watch no longer than this');
}

function readTimeout({ follow, timeout }: FollowFlags): { timeoutMs?: number } {
  if (timeout !== undefined && follow !== true) throw new UsageError('--timeout is for --follow');
  return timeout === undefined ? {} : { timeoutMs: readSeconds(timeout, '--timeout') };
}

function addRun(program: Command): void {
  const command = program
    .command('run <workflow>')
    .description('start an execution of a workflow, by its key or id')
    .option('-d, --data <json>', 'the input: JSON, @file, or - for stdin')
    .option('-v, --workflow-version <version>', 'latest, published, 1.0.3 or 3');
  defineAction<FollowFlags & { data?: string; workflowVersion?: string }>(
    withFollow(command),
    async (session, flags, args) => {
      const wait = readTimeout(flags);
      const input = flags.data === undefined ? {} : readJsonObject(flags.data, '--data');
      const { client, output } = session;
      const execution = await client.trigger(args[0]!, { input, version: flags.workflowVersion });
      if (flags.follow !== true) {
        output.result(execution, [execution.id]);
        return undefined;
      }
      if (!output.isJson) output.line(output.paint('dim', `execution ${execution.id} of ${args[0]}`));
      return followExecution(session, execution.id, wait);
    },
  );
}

function addStatus(program: Command): void {
  const command = program
    .command('status [execution]')
    .description('how an execution is, or which ones there are')
    .option('-w, --workflow <workflow>', 'list only those of this workflow')
    .option('-s, --status <status>', 'list only queued, running, suspended, completed, failed or cancelled ones')
    .option('-n, --limit <number>', 'list at most so many', '20');
  type Flags = FollowFlags & { workflow?: string; status?: ExecutionSummary['status']; limit: string };
  defineAction<Flags>(withFollow(command), async (session, flags, [id]) => {
    const { client, output } = session;
    const wait = readTimeout(flags);
    if (id !== undefined && flags.follow) return followExecution(session, id, wait);
    if (id !== undefined) {
      const execution = await client.getExecution(id);
      output.result(execution, formatExecution(session, execution));
      return undefined;
    }
    if (flags.follow) throw new UsageError('--follow needs the id of an execution');
    const { workflow: workflowId, status } = flags;
    const { items } = await client.listExecutions({ workflowId, status, limit: Number(flags.limit) });
    output.result(items, formatTable(items.map(formatRow)));
    return undefined;
  });
}

function addLogs(program: Command): void {
  const command = program
    .command('logs <execution>')
    .description('what the nodes of an execution wrote down')
    .option('--node <node>', 'only this node')
    .option('--level <level>', 'debug, info, warn or error');
  defineAction<{ node?: string; level?: string }>(command, async ({ client, output }, { node, level }, [id]) => {
    const query = { nodeId: node, level } as LogsQuery; // the server says which levels there are
    const lines = await listLogs(client, id!, query);
    output.result(lines, lines.map(formatLog));
    return undefined;
  });
}

async function listLogs(client: HoldpointClient, id: string, query: LogsQuery): Promise<ExecutionLog[]> {
  const lines: ExecutionLog[] = [];
  for (;;) {
    const after = lines.at(-1)?.id;
    const page = await client.logs(id, { ...query, limit: LOG_PAGE, ...(after === undefined ? {} : { after }) });
    lines.push(...page);
    if (page.length < LOG_PAGE) return lines;
  }
}

function addDecisions(program: Command): void {
  for (const verb of ['approve', 'reject'] as const) {
    const command = program
      .command(`${verb} <execution>`)
      .description(`${verb} what an execution waits for`)
      .option('--node <node>', 'which node is meant, where several wait')
      .option('-r, --reason <text>', 'kept with the decision');
    defineAction<{ node?: string; reason?: string }>(command, async (session, { node, reason }, [id]) => {
      const execution = await session.client[verb](id!, { reason, nodeId: node });
      session.output.result(execution, formatExecution(session, execution));
      return undefined;
    });
  }
}

function addResume(program: Command): void {
  const command = program
    .command('resume <execution>')
    .description('answer what an execution waits for: fields, a question, or a choice of actions')
    .option('-d, --data <json>', 'the fields asked for: JSON, @file, or - for stdin')
    .option('-a, --answer <text>', 'the answer to a question')
    .option('--action <id>', 'one of the actions offered')
    .option('-r, --reason <text>', 'kept with the choice of an action')
    .option('--node <node>', 'which node is meant, where several wait');
  type Flags = { data?: string; answer?: string; action?: string; reason?: string; node?: string };
  defineAction<Flags>(command, async (session, flags, [id]) => {
    const { answer, action: actionId, reason, node: nodeId } = flags;
    const data = flags.data === undefined ? undefined : readJsonObject(flags.data, '--data');
    if (data === undefined && answer === undefined && actionId === undefined)
      throw new UsageError('say what the answer is: --data, --answer or --action');
    const execution = await session.client.respond(id!, { data, answer, actionId, reason, nodeId });
    session.output.result(execution, formatExecution(session, execution));
    return undefined;
  });
}

function addCancel(program: Command): void {
  const command = program.command('cancel <execution>').description('cancel an execution');
  defineAction(command, async (session, _, [id]) => {
    await session.client.cancel(id!);
    const execution = await session.client.getExecution(id!);
    session.output.result(execution, formatExecution(session, execution));
    return undefined;
  });
}

function addReplay(program: Command): void {
  const command = program
    .command('replay <execution>')
    .description('run an execution that has ended once more, as a new one')
    .option('--from <node>', 'with what came before this node copied; default from the start');
  defineAction<FollowFlags & { from?: string }>(withFollow(command), async (session, flags, [id]) => {
    const wait = readTimeout(flags);
    const { client, output } = session;
    const execution = await client.replay(id!, flags.from === undefined ? {} : { fromNodeId: flags.from });
    if (flags.follow !== true) {
      output.result(execution, [execution.id]);
      return undefined;
    }
    if (!output.isJson) output.line(output.paint('dim', `execution ${execution.id}, a replay of ${id}`));
    return followExecution(session, execution.id, wait);
  });
}

function formatRow({ id, status, createdAt, triggeredBy, error }: ExecutionSummary): string[] {
  return [id, status, createdAt, triggeredBy, error?.message ?? ''];
}

function formatExecution({ program }: Session, execution: Execution): string[] {
  const { id, status, version, createdAt, error, output, nodeResults, interrupts } = execution;
  const nodes = Object.entries(nodeResults).map(([name, node]) => [
    `  ${name}`,
    node.status,
    node.error?.message ?? (node.durationMs === null ? '' : formatDuration(node.durationMs)),
  ]);
  return [
    `${id}  ${status}  version ${version}, ${createdAt}`,
    ...formatTable(nodes),
    ...interrupts.flatMap((interrupt) => suggestAnswers(program, id, interrupt).map((command) => `  → ${command}`)),
    ...(error === null ? [] : [`error: ${error.message}`]),
    ...(status === 'completed' ? [JSON.stringify(output, null, 2)] : []),
  ];
}

function formatLog({ timestamp, level, nodeId, message, data }: ExecutionLog): string {
  const more = data === null || data === undefined ? '' : ` ${JSON.stringify(data)}`;
  return `${timestamp}  ${level.padEnd(5)}  ${nodeId ?? ''}  ${message}${more}`;
}
