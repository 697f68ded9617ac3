// Loads by key, many at once: keys asked for while a load is under way go together in the next one, like decisions in the
// group commit. Nothing is cached: every answer was read after it was asked for.

export type Loader<Value> = (key: string) => Promise<Value | null>;

interface Waiting<Value> {
  resolve(value: Value | null): void;
  reject(error: unknown): void;
}

const MAX_BATCH = 100;

/** `load` answers what exists of `keys`, by key. */
export function batchLoads<Value>(load: (keys: string[]) => Promise<ReadonlyMap<string, Value>>): Loader<Value> {
  const waiting = new Map<string, Waiting<Value>[]>();
  let isLoading = false;

  async function loadWaiting(): Promise<void> {
    while (waiting.size > 0) {
      const batch = [...waiting].slice(0, MAX_BATCH);
      for (const [key] of batch) waiting.delete(key);
      await load(batch.map(([key]) => key)).then(
        (found) => {
          for (const [key, askers] of batch) for (const { resolve } of askers) resolve(found.get(key) ?? null);
        },
        (error: unknown) => {
          for (const [, askers] of batch) for (const { reject } of askers) reject(error);
        },
      );
    }
    isLoading = false;
  }

  return (key) =>
    new Promise((resolve, reject) => {
      const askers = waiting.get(key);
      if (askers) askers.push({ resolve, reject });
      else waiting.set(key, [{ resolve, reject }]);
      if (isLoading) return;
      isLoading = true;
      queueMicrotask(() => void loadWaiting());
    });
}
