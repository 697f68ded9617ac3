// Calls of BullMQ's scripts that are made in one turn of the event loop go to Redis as one. A worker in full swing adds and
// finishes dozens of jobs at once, and a call of its own for each costs more to write, send and take apart than what it does.
//
// The scripts are BullMQ's, word for word, each made a function of its KEYS and ARGV: they are taken as it hands them to the
// connection, so nothing but their names is known here. Calls are made in their order and answered one by one; one that fails
// does not hurt the others. What a call has in common with the call before of the same script is not sent again, which is
// nearly all. A call that is alone goes as it is, and at once where no other is on its way.

import { Redis } from 'ioredis';
import { TextPacker } from './text-packer.ts';

type Value = string | Buffer;
type ScriptCall = (this: unknown, args: unknown[]) => Promise<unknown>;
type Scripts = Record<string, ScriptCall>;

interface Script {
  /** How many of the arguments are KEYS. */
  keys: number;
  lua: string;
  alone: ScriptCall;
}

interface Call {
  script: Script;
  args: unknown[];
  resolve(reply: unknown): void;
  reject(error: unknown): void;
}

/** What they are called before the colon; after it is BullMQ's version. */
const GATHERED = new Set(['addStandardJob', 'moveToFinished']);
/** Redis does nothing else meanwhile: some 20 µs a call. */
const MAX_TOGETHER = 128;
const TOGETHER = 'callTogether';

/** A connection like any other, for BullMQ's queues and workers. */
export class GatheringRedis extends Redis {
  readonly #scripts: Script[] = [];
  #waiting: Call[] = [];
  #inFlight = 0;

  override defineCommand(name: string, definition: { lua: string; numberOfKeys?: number; readOnly?: boolean }): void {
    super.defineCommand(name, definition);
    if (!GATHERED.has(name.split(':')[0]!)) return;
    const commands = this as unknown as Scripts;
    const original = commands[name]!;
    const script = { keys: definition.numberOfKeys ?? 0, lua: definition.lua, alone: original.bind(this) };
    this.#scripts.push(script);
    const gather = (args: unknown[]) =>
      new Promise((resolve, reject) => this.#gather({ script, args, resolve, reject }));
    const self = this;
    // A pipeline takes over the commands of its connection; what it is given goes with it.
    commands[name] = function (this: unknown, args) {
      return this === self ? gather(args) : original.call(this, args);
    };
    super.defineCommand(TOGETHER, { numberOfKeys: 1, lua: joinScripts(this.#scripts) });
  }

  #gather(call: Call): void {
    if (this.#inFlight === 0 && this.#waiting.length === 0) this.#sendAlone(call);
    else if (this.#waiting.push(call) === 1) setImmediate(() => this.#send());
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const own of byQueue(waiting)) {
      for (let from = 0; from < own.length; from += MAX_TOGETHER) {
        const calls = own.slice(from, from + MAX_TOGETHER);
        if (calls.length > 1) this.#sendTogether(calls);
        else this.#sendAlone(calls[0]!);
      }
    }
  }

  #sendAlone({ script, args, resolve, reject }: Call): void {
    this.#inFlight += 1;
    script.alone(args).then(
      (reply) => {
        this.#inFlight -= 1;
        resolve(reply);
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        reject(error);
      },
    );
  }

  #sendTogether(calls: Call[]): void {
    const together = (this as unknown as Scripts)[TOGETHER]!.bind(this);
    this.#inFlight += 1;
    together([calls[0]!.args[0], packCalls(this.#scripts, calls)]).then(
      (replies) => {
        this.#inFlight -= 1;
        for (let place = 0; place < calls.length; place++) {
          const reply = (replies as unknown[])[place];
          if (reply instanceof Error) calls[place]!.reject(reply);
          else calls[place]!.resolve(reply);
        }
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        for (const { reject } of calls) reject(error);
      },
    );
  }
}

/** Both scripts begin with the key of their queue's wait list, and a script may not go from one slot of a cluster to another. */
function byQueue(calls: Call[]): Call[][] {
  const first = calls[0]!.args[0];
  if (calls.every(({ args }) => args[0] === first)) return [calls];
  const queues = new Map<unknown, Call[]>();
  for (const call of calls) {
    const own = queues.get(call.args[0]);
    if (own) own.push(call);
    else queues.set(call.args[0], [call]);
  }
  return [...queues.values()];
}

/** For each call the place of its script, and in which places what differs from that script's call before. */
function packCalls(scripts: Script[], calls: Call[]): Buffer {
  const packer = new TextPacker();
  const before = new Map<Script, Value[]>();
  packer.list(calls.length);
  for (const { script, args } of calls) {
    const last = before.get(script) ?? [];
    const changes: Value[] = [];
    for (let place = 0; place < Math.max(args.length, last.length); place++) {
      const value = asText(args[place]);
      if (last[place] === value) continue;
      last[place] = value;
      changes.push(String(place + 1), value);
    }
    before.set(script, last);
    packer.list(changes.length + 1);
    packer.text(String(scripts.indexOf(script) + 1));
    for (const change of changes) packer.text(change);
  }
  return packer.end();
}

/** As the driver would send it: everything is text or bytes. */
function asText(value: unknown): Value {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  return value === undefined || value === null ? '' : String(value);
}

/** A reply of nil would end the list of replies, so it is false; the driver makes null of both. */
function joinScripts(scripts: Script[]): string {
  const functions = scripts.map(({ lua }) => `function(KEYS, ARGV)\n${lua}\nend`);
  return `
local scripts = {${functions.join(',\n')}}
local keyCounts = {${scripts.map(({ keys }) => keys).join(', ')}}
local keys, arguments, replies = {}, {}, {}
for place in ipairs(scripts) do
  keys[place], arguments[place] = {}, {}
end
for place, call in ipairs(cmsgpack.unpack(ARGV[1])) do
  local script = tonumber(call[1])
  local keyCount = keyCounts[script]
  for at = 2, #call, 2 do
    local position = tonumber(call[at])
    if position <= keyCount then
      keys[script][position] = call[at + 1]
    else
      arguments[script][position - keyCount] = call[at + 1]
    end
  end
  local isDone, reply = pcall(scripts[script], keys[script], arguments[script])
  if isDone then
    replies[place] = reply or false
  elseif type(reply) == 'table' then
    replies[place] = reply
  else
    replies[place] = { err = tostring(reply) }
  end
end
return replies`;
}
