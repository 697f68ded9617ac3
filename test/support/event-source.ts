// A reader of live streams that knows nothing but the wire: bytes of server-sent events into frames, and a client that comes
// back with the last id for as long as it takes.

import { setTimeout as delay } from 'node:timers/promises';

export interface SseFrame {
  id: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server said, and tests assert all of it
  data: any;
}

export interface SseStream {
  status: number;
  headers: Headers;
  /** Frames so far. */
  frames: SseFrame[];
  /** Everything else, line by line: comments and `retry:`. */
  notes: string[];
  /** Resolves when the stream is over: `end` by the server's doing, `cut` without a proper end. */
  over: Promise<'end' | 'cut'>;
  /** The body of an answer that is no stream. */
  text(): string;
  close(): void;
}

export interface Asked {
  key?: string;
  headers?: Record<string, string>;
}

export async function openStream(url: string, { key, headers = {} }: Asked = {}): Promise<SseStream> {
  const own = new AbortController();
  const response = await fetch(url, {
    signal: own.signal,
    headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
  });
  const stream: SseStream = {
    status: response.status,
    headers: response.headers,
    frames: [],
    notes: [],
    over: Promise.resolve('end'),
    text: () => rest,
    close: () => own.abort(),
  };
  let rest = '';
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of response.body ?? []) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) takeBlock(stream, block);
    }
    return 'end' as const;
  };
  stream.over = read().catch(() => 'cut' as const);
  return stream;
}

function takeBlock({ frames, notes }: SseStream, block: string): void {
  const lines = block.split('\n');
  const id = lines.find((line) => line.startsWith('id: '))?.slice(4);
  const data = lines.find((line) => line.startsWith('data: '))?.slice(6);
  if (id === undefined || data === undefined) notes.push(...lines);
  else frames.push({ id: Number(id), data: JSON.parse(data) });
}

const FINAL = new Set(['execution_complete', 'execution_failed', 'execution_cancelled']);

/** Reads to the run's end over as many connections as it takes; answers all frames, and how many connections those were. */
export async function readThrough(
  url: () => string,
  { key }: Asked,
): Promise<{ frames: SseFrame[]; connections: number }> {
  const frames: SseFrame[] = [];
  for (let connections = 1; ; connections += 1) {
    const last = frames.at(-1);
    if (last !== undefined && FINAL.has(last.data.type)) return { frames, connections: connections - 1 };
    const headers: Record<string, string> = last === undefined ? {} : { 'last-event-id': String(last.id) };
    const stream = await openStream(url(), { headers, ...(key === undefined ? {} : { key }) }).catch(() => null);
    if (stream === null) {
      await delay(20);
      continue;
    }
    await stream.over;
    if (stream.status === 204) return { frames, connections };
    frames.push(...stream.frames);
  }
}
