// Migrations of all tenants through the real command line: past failures, and again.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cliFolder } from "./cli-process.ts";

test("migrate goes on past failures, says who failed and why, and tries again when asked", async () => {
  await using cli = await cliFolder({ TENANTRY_MIGRATIONS: "./migrations" });
  const migrations = join(cli.dir, "migrations");
  await mkdir(migrations);
  await writeFile(
    join(migrations, "0001_notes.sql"),
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);",
  );
  await cli.run(["tenants", "create", "acme", "globex", "initech"]);
  await cli.run(["query", "globex", "INSERT INTO notes (body) VALUES ('same'), ('same')"]);
  expect((await cli.run(["migrate"])).stdout).toBe("Every tenant has the current schema.\n");

  await writeFile(join(migrations, "0002_unique.sql"), "CREATE UNIQUE INDEX notes_body ON notes (body);");
  const dry = await cli.run(["migrate", "--dry-run", "--json"]);
  expect(JSON.parse(dry.stdout)).toMatchObject({ version: "0002_unique.sql", behind: 3 });

  const run = await cli.run(["migrate"]);
  expect(run.code).toBe(1);
  expect(run.stdout).toMatch(/^2 tenants migrated in .*, 1 failed\.\n$/);
  expect(run.stderr).toMatch(/failed: globex\n {2}.*UNIQUE constraint failed/);

  const [fleet, one, retry] = await Promise.all([
    cli.run(["migrate", "status", "--json"]),
    cli.run(["migrate", "status", "globex", "--json"]),
    cli.run(["migrate", "retry", "--json"]),
  ]);
  expect(JSON.parse(fleet.stdout)).toMatchObject({ tenants: 3, behind: 0, quarantined: 1 });
  expect(JSON.parse(one.stdout)).toMatchObject({
    migrations: [
      { name: "0001_notes.sql", state: "applied" },
      { name: "0002_unique.sql", state: "pending" },
    ],
  });
  expect(retry.code).toBe(1);
  expect(JSON.parse(retry.stdout)).toMatchObject({
    migrated: 0,
    failed: [{ tenant: "globex", code: "MIGRATION_FAILED" }],
  });

  await rm(join(migrations, "0002_unique.sql"));
  const mended = await cli.run(["migrate", "retry"]);
  expect(mended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 tenant migrated in /) });
  await writeFile(join(migrations, "0003_index.sql"), "CREATE INDEX notes_by_body ON notes (body);");
  expect(await cli.run(["migrate", "retry", "globex"])).toMatchObject({
    code: 0,
    stdout: "migrated globex\n",
  });
});
