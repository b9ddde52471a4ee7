// The note that tells whose statement holds an executor.
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProgressWriter, readProgress, removeProgress } from "../src/executors/progress-file.ts";
import { until } from "./support/counting-handles.ts";
import { tempFolder } from "./support/temp-folder.ts";

test("the note names the tenant whose statement began last, and says since when", async () => {
  const path = join(await tempFolder(), "not", "there", "yet", "note");
  expect(readProgress(path)).toEqual({ name: "", ms: 0 });
  const writer = new ProgressWriter(path);
  expect(readProgress(path).name).toBe("");
  const longest = "a".repeat(63);
  for (const name of ["acme", longest, "b"]) {
    writer.enter(name);
    expect(readProgress(path).name).toBe(name);
  }
  await until(() => readProgress(path).ms >= 20);
  writer.enter("b");
  expect(readProgress(path).ms).toBeLessThan(20);
  writer.close();
  removeProgress(path);
  removeProgress(path);
  expect(readProgress(path)).toEqual({ name: "", ms: 0 });
});
