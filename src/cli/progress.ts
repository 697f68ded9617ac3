// An execution as people watch it: a line for each step that has ended or waits, and on a terminal below them a line that
// moves, with what is at work. Knows events and how they read; where they come from is not its business.

import type { Interrupt } from '../sdk/api-types.ts';
import type { StreamedEvent } from '../sdk/event-stream.ts';
import { formatDuration, type Output, type Style } from './output.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const NAME_WIDTH = 20;
/** To the start of the line, and erase it. */
const ERASE = '\r\x1b[2K';

type NodeUpdate = Extract<StreamedEvent, { type: 'node_update' }>;

/** Prints what happens as lines; `stop` ends the moving line. */
export class Progress {
  readonly #output: Output;
  readonly #executionId: string;
  /** What is at work or waits, since when. */
  readonly #open = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #frame = 0;

  constructor(output: Output, executionId: string) {
    this.#output = output;
    this.#executionId = executionId;
    if (output.isTerminal) this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  show(event: StreamedEvent): void {
    if (event.type === 'node_update') this.#note(event);
    else if (event.type === 'execution_suspended' && event.interrupt.nodeId !== undefined)
      this.#note({ nodeId: event.interrupt.nodeId, status: 'suspended' });
    const lines = this.#write(event);
    if (this.#output.isTerminal && lines.length > 0) this.#output.draw(ERASE);
    for (const line of lines) this.#output.line(line);
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#output.draw(ERASE);
  }

  #note({ nodeId, status }: Pick<NodeUpdate, 'nodeId' | 'status'>): void {
    const isOpen = status === 'queued' || status === 'running' || status === 'suspended';
    if (!isOpen) this.#open.delete(nodeId);
    else if (!this.#open.has(nodeId)) this.#open.set(nodeId, Date.now());
  }

  #draw(): void {
    const [first] = this.#open.values();
    const since = first === undefined ? '' : ` · ${formatDuration(Date.now() - first)}`;
    const names = [...this.#open.keys()].slice(0, 3).join(', ') || 'working';
    this.#frame = (this.#frame + 1) % FRAMES.length;
    // A line that wraps could not be erased again.
    const text = `${names}${since}`.slice(0, this.#output.width - 3);
    this.#output.draw(`${ERASE}${this.#output.paint('cyan', FRAMES[this.#frame]!)} ${text}`);
  }

  #write(event: StreamedEvent): string[] {
    switch (event.type) {
      case 'node_update':
        return this.#writeNode(event);
      case 'execution_suspended':
        return this.#writeInterrupt(event.interrupt);
      default:
        return [];
    }
  }

  #writeNode({ nodeId, status, error, durationMs }: NodeUpdate): string[] {
    const took = durationMs === undefined ? '' : ` in ${formatDuration(durationMs)}`;
    if (status === 'completed') return [this.#row('green', '✓', nodeId, `completed${took}`)];
    if (status === 'failed') return [this.#row('red', '✗', nodeId, `failed: ${error?.message ?? 'no reason given'}`)];
    if (status === 'cancelled') return [this.#row('dim', '-', nodeId, 'cancelled')];
    // What goes on and has an error will be tried again.
    return error === undefined ? [] : [this.#row('yellow', '↻', nodeId, `is tried again: ${error.message}`)];
  }

  #writeInterrupt(interrupt: Interrupt): string[] {
    const name = interrupt.nodeId ?? 'execution';
    const said = interrupt.message ?? interrupt.reason ?? null;
    const what = `${WAITS[interrupt.type]}${said === null ? '' : `: ${said}`}`;
    const how = suggestAnswers(this.#executionId, interrupt).map(
      (command) => `${' '.repeat(NAME_WIDTH + 3)}${this.#output.paint('dim', command)}`,
    );
    return [this.#row('yellow', '‖', name, what), ...how];
  }

  #row(style: Style, mark: string, name: string, text: string): string {
    return `${this.#output.paint(style, mark)} ${name.padEnd(NAME_WIDTH)} ${text}`;
  }
}

const WAITS: Readonly<Record<Interrupt['type'], string>> = {
  approval: 'waits for a decision',
  question: 'asks',
  inputs: 'waits for input',
  hold: 'is held',
};

/** Commands that answer what an execution waits for. */
export function suggestAnswers(id: string, { type, fields, options, actions = [], nodeId }: Interrupt): string[] {
  const node = nodeId === undefined ? '' : ` --node ${nodeId}`;
  switch (type) {
    case 'approval': {
      const plain = actions.every(({ outcome }) => outcome !== undefined);
      if (plain) return [`holdpoint approve ${id}${node}`, `holdpoint reject ${id}${node} --reason '…'`];
      return actions.map((action) => `holdpoint resume ${id}${node} --action ${action.id}`);
    }
    case 'question':
      return [`holdpoint resume ${id}${node} --answer '${options?.[0] ?? '…'}'`];
    case 'inputs':
      return [
        `holdpoint resume ${id}${node} --data '{${Object.keys(fields ?? {})
          .map((name) => `"${name}": …`)
          .join(', ')}}'`,
      ];
    case 'hold':
      return [];
  }
}
