// An assertion for checks that run a million times: its message costs nothing while it holds.

export function must(holds: unknown, message: () => string): asserts holds {
  if (!holds) throw new Error(`Broken: ${message()}`);
}
