// Mocha's spec reporter, which also writes how many tests passed and failed to the file named by HOLDPOINT_TEST_RESULT,
// for .ci/run. A failed hook counts as a failure, as mocha counts it.

const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const file = process.env.HOLDPOINT_TEST_RESULT;
    if (!file) return;
    runner.once('end', () => {
      const { passes, failures } = this.stats;
      writeFileSync(file, `${passes} passed, ${failures} failed\n`);
    });
  }
}

module.exports = CountingReporter;
