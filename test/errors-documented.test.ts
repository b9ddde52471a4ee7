// Owns that the list of errors, their statuses and their documentation say the same.
// Does not judge the wording of single messages: the tests of each room do.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ERROR_STATUS } from "../src/http/error-status.ts";
import { ERROR_CODES } from "../src/tenantry-error.ts";

const ROOT = join(import.meta.dirname, "..");
const rows = readFileSync(join(ROOT, "docs/errors.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("docs/errors.md has every code once, and none that there is not", () => {
  const documented = rows.map(([code = ""]) => code.replaceAll("`", ""));
  expect(documented.toSorted()).toEqual([...ERROR_CODES].toSorted());
});

test("docs/errors.md says the status that the server answers, what it means, and what to do", () => {
  const told = Object.fromEntries(
    rows.map(([code = "", status]) => [code.replaceAll("`", ""), Number(status)]),
  );
  expect(told).toEqual(ERROR_STATUS);
  for (const [code, , meaning, advice] of rows) {
    expect(meaning, code).toMatch(/\S.*\.$/);
    expect(advice, code).toMatch(/\S.*\.$/);
  }
});

test("every code is thrown somewhere", () => {
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !/(?:tenantry-error|error-status)\.ts$/.test(path))
    .map((path) => readFileSync(join(ROOT, "src", path), "utf8"))
    .join("\n");
  expect(ERROR_CODES.filter((code) => !sources.includes(`"${code}"`))).toEqual([]);
});

test("no status is one that hides an error or sends the caller elsewhere", () => {
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    expect(status, code).toBeGreaterThanOrEqual(400);
    expect(status, code).toBeLessThan(600);
  }
});
