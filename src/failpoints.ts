// Named places where a test may kill, stop, delay or break a process at an exact moment. Nothing is armed outside tests
// (config.ts reads `FP` only with HOLDPOINT_TEST=1); then reaching one is a comparison with null.

export interface Failpoint {
  name: string;
  action: 'kill' | 'stop' | 'throw' | 'sleep';
  /** How long `sleep` blocks the whole process. */
  ms: number;
  /** Acts only the nth time that it is reached, from 1. */
  nth: number;
}

const SYNTAX = /^([a-z-]+\.[a-z_]+):(?:(kill|stop|throw)|(sleep):(\d{1,6}))(?:@(\d{1,6}))?$/;

/** A failpoint, and how often its place was reached since it was armed. */
export interface ArmedFailpoint extends Failpoint {
  reached: number;
}

let armed: ArmedFailpoint[] | null = null;

/** Reads `name:kill|stop|throw|sleep:ms[@nth]`, several separated by commas; null when that is not what it says. */
export function parseFailpoints(text: string): Failpoint[] | null {
  const found: Failpoint[] = [];
  for (const part of text.split(',')) {
    const [, name, action, sleep, ms, nth] = SYNTAX.exec(part.trim()) ?? [];
    if (name === undefined) return null;
    found.push({ name, action: (action ?? sleep) as Failpoint['action'], ms: Number(ms ?? 0), nth: Number(nth ?? 1) });
  }
  return found;
}

/** Arms these, and no others, from now on in this process. */
export function armFailpoints(failpoints: readonly Failpoint[]): readonly ArmedFailpoint[] {
  const fresh = failpoints.map((failpoint) => ({ ...failpoint, reached: 0 }));
  armed = fresh.length === 0 ? null : fresh;
  return fresh;
}

/** Whether any is armed: for places that would have to build a name to reach. */
export function hasFailpoints(): boolean {
  return armed !== null;
}

/** Says that this place is reached; throws, blocks or does not return when a failpoint of that name is due. */
export function reach(name: string): void {
  if (armed === null) return;
  for (const failpoint of armed) {
    if (failpoint.name !== name) continue;
    failpoint.reached += 1;
    if (failpoint.reached === failpoint.nth) act(failpoint);
  }
}

function act({ name, action, ms }: Failpoint): void {
  if (action === 'throw') throw new Error(`failpoint ${name}`);
  if (action === 'sleep') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  if (action === 'kill') process.kill(process.pid, 'SIGKILL');
  if (action === 'stop') process.kill(process.pid, 'SIGSTOP');
}
