// What every engine under test offers to the rounds: start one run, and tell when it or all are finished.

export interface Settings {
  databaseUrl: string;
  redisUrl: string;
  /** Steps of the linear workflow. */
  steps: number;
  /** Jobs a worker process has in hand at once. */
  concurrency: number;
}

export interface Contestant {
  name: string;
  /** Its own processes, by part. */
  pids: Record<string, number>;
  /** Resolves when the start is acknowledged; `finished` when the run is. */
  start(): Promise<{ finished: Promise<void> }>;
  /** Resolves when every run started so far is finished. */
  allFinished(): Promise<void>;
  close(): Promise<void>;
}
