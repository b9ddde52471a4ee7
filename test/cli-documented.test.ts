// Owns that docs/cli.md has every setting of an installation: what can be set by the environment.
// What each says is judged by who reads it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";

const documented = readFileSync(join(import.meta.dirname, "../docs/cli.md"), "utf8");

test("docs/cli.md has every option that is a setting", async () => {
  await using cli = await cliFolder();
  const { stdout } = await cli.run(["serve", "--help"]);
  const settings = stdout
    .split(/\n(?= {2}-)/)
    .filter((option) => /env:\s+TENANTRY_/.test(option))
    .map((option) => /--[a-z-]+/.exec(option)?.[0]);
  expect(settings.length).toBeGreaterThan(30);
  expect(
    settings.filter((option) => !documented.includes(`${option}\``) && !documented.includes(`${option} `)),
  ).toEqual([]);
});
