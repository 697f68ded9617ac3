// What random tests try: the same each time, so that none of them fails by chance where nobody has changed anything. Whoever
// asks for more of it (CONTRIBUTING.md) gets other cases.

const isLong = Boolean(process.env['CORE_RUNS'] || process.env['FUZZ_RUNS']);

/** A part of fast-check's parameters. */
export const CHANCE = isLong ? {} : { seed: 20_261_122 };
