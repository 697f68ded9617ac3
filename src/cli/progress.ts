// An execution as people watch it: a line for each step that has ended or waits, and on a terminal below them a line that
// moves, with what is at work. Knows events and how they read; where they come from is not its business.

import type { Interrupt } from '../sdk/api-types.ts';
import type { StreamedEvent } from '../sdk/event-stream.ts';
import { formatDuration, type Output, type Style } from './output.ts';
import { suggestAnswers } from './suggestions.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const NAME_WIDTH = 20;
/** The client tries at least so often; after this long without a failure there is a connection. */
const RECONNECT_MS = 12_000;
/** Whoever reads lines is told of an outage so often. */
const REMIND_MS = 60_000;
/** To the start of the line, and erase it. */
const ERASE = '\r\x1b[2K';

type NodeUpdate = Extract<StreamedEvent, { type: 'node_update' }>;

interface Followed {
  id: string;
  /** How this program is called, in the commands that it suggests. */
  program: string;
}

/** Prints what happens as lines; `stop` ends the moving line. */
export class Progress {
  readonly #output: Output;
  readonly #followed: Followed;
  /** What is at work or waits, since when. */
  readonly #open = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #frame = 0;
  #lostAt = Number.NEGATIVE_INFINITY;
  #toldLossAt = Number.NEGATIVE_INFINITY;

  constructor(output: Output, followed: Followed) {
    this.#output = output;
    this.#followed = followed;
    if (output.isTerminal) this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  show(event: StreamedEvent): void {
    if (event.type === 'node_update') this.#note(event);
    else if (event.type === 'execution_suspended' && event.interrupt.nodeId !== undefined)
      this.#note({ nodeId: event.interrupt.nodeId, status: 'suspended' });
    this.#lostAt = Number.NEGATIVE_INFINITY;
    this.#print(this.#write(event));
  }

  /** There is no connection for now. */
  lose(reason: string): void {
    this.#lostAt = Date.now();
    if (this.#output.isTerminal || this.#lostAt - this.#toldLossAt < REMIND_MS) return;
    this.#toldLossAt = this.#lostAt;
    this.#print([`${this.#output.paint('yellow', '…')} ${reason}; trying again`]);
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

  #print(lines: readonly string[]): void {
    if (this.#output.isTerminal && lines.length > 0) this.#output.draw(ERASE);
    for (const line of lines) this.#output.line(line);
  }

  #draw(): void {
    const [first] = this.#open.values();
    const since = first === undefined ? '' : ` · ${formatDuration(Date.now() - first)}`;
    const names = [...this.#open.keys()].slice(0, 3).join(', ') || 'working';
    this.#frame = (this.#frame + 1) % FRAMES.length;
    // A line that wraps could not be erased again.
    const lost = Date.now() - this.#lostAt < RECONNECT_MS ? ' · no connection, trying again' : '';
    const text = `${names}${since}${lost}`.slice(0, this.#output.width - 3);
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
    const { program, id } = this.#followed;
    const how = suggestAnswers(program, id, interrupt).map(
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
