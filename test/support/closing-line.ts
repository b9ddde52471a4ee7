// Owns the last lines of a test run: which tests passed only when they were run again, for they are to be mended, and
// how many passed, failed and were skipped, alone on a line for scripts.
import type { Reporter, TestModule } from "vitest/node";

/** A Vitest reporter beside the default one. */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const again: string[] = [];
    for (const module of modules) {
      // A file that could not even be loaded has no tests, and has failed all the same.
      if (!module.ok() && module.children.size === 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") counts[state]++;
        if (test.diagnostic()?.flaky) again.push(`${module.relativeModuleId}: ${test.fullName}`);
      }
    }
    counts.failed += errors.length;
    for (const test of again) process.stdout.write(`passed only at its second try: ${test}\n`);
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}
