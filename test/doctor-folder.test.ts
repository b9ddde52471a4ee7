// What a doctor finds in a data folder, and what it mends.
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { migrationSet } from "../src/migrations/migration-set.ts";
import { compareVersions, examineMachine } from "../src/observe/doctor-machine.ts";
import { examineData } from "../src/observe/doctor.ts";
import { type Finding, worstOf } from "../src/observe/finding.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry, type Tenantry } from "../src/tenantry.ts";

const FIRST = { name: "0001_notes.sql", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)" };

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tenantry-doctor-"));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function open(...files: { name: string; sql: string }[]): Promise<Tenantry> {
  return createTenantry({ data: dir, migrations: await migrationSet(files) });
}

test("a healthy folder is well, whatever is open", async () => {
  await using tenantry = await open(FIRST);
  for (const id of ["acme", "globex"]) await tenantry.lifecycle.create(parseTenantId(id));
  await tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES ('x')").run();
  const findings = await examineData(tenantry);
  expect(worstOf(findings)).toBe("ok");
  expect(findings.map(({ check }) => check)).toEqual(["catalog", "files", "quick-check"]);
  await tenantry.database("acme").prepare("INSERT INTO notes (body) VALUES ('y')").run();
});

test("files are held against the catalog", async () => {
  await using tenantry = await open(FIRST);
  for (const id of ["acme", "globex", "hooli", "initech"]) await tenantry.lifecycle.create(parseTenantId(id));
  const pathOf = tenantry.driver.files.pathOf;
  await rename(pathOf("acme"), join(dir, "acme.away"));
  await mkdir(dirname(pathOf("stray")), { recursive: true });
  await copyFile(pathOf("globex"), pathOf("stray"));
  await mkdir(dirname(pathOf("gone")), { recursive: true });
  await writeFile(`${pathOf("gone")}-wal`, "");
  await writeFile(join(dir, "tenants", "notes.txt"), "");
  await truncate(pathOf("hooli"), 6000);
  await tenantry.lifecycle.suspend(parseTenantId("initech"), { reason: "being deleted" });
  await rm(pathOf("initech"));

  const findings = await examineData(tenantry);
  const found = findings.filter(({ severity }) => severity !== "ok");
  expect(found.map(({ check, severity, tenant }) => [check, severity, tenant])).toEqual([
    ["missing-files", "error", "acme"],
    ["missing-files", "warn", "initech"],
    ["orphan-files", "warn", undefined],
    ["side-files", "warn", undefined],
    ["strange-files", "warn", undefined],
    ["quick-check", "error", "hooli"],
  ]);
  expect(found.every(({ hint }) => hint !== undefined)).toBe(true);
});

test("schemas that are behind, drifted, or without their files are found", async () => {
  {
    await using tenantry = await open(FIRST, {
      name: "0002_more.sql",
      sql: "CREATE TABLE more (id INTEGER)",
    });
    await tenantry.lifecycle.create(parseTenantId("acme"));
  }
  const edited = { name: FIRST.name, sql: `${FIRST.sql} STRICT` };
  await using tenantry = await open(edited, { name: "0003_new.sql", sql: "CREATE TABLE new (id INTEGER)" });
  const findings = (await examineData(tenantry)).filter(({ severity }) => severity !== "ok");
  expect(findings.map(({ check, severity }) => `${check} ${severity}`)).toEqual([
    "templates warn",
    "schema warn",
    "schema error",
    "schema warn",
    "schema warn",
  ]);
  const messages = findings.map(({ message }) => message).join("\n");
  expect(messages).toContain('Migrations changed after tenant "acme" had applied them: 0001_notes.sql.');
  expect(messages).toContain('Tenant "acme" has migrations that have no file: 0002_more.sql.');
  expect(messages).toContain('Tenant "acme" is behind: 0003_new.sql.');
});

test("only what is harmless is mended: old scratch files and templates", async () => {
  await using tenantry = await open(FIRST);
  await tenantry.lifecycle.create(parseTenantId("acme"));
  const scratch = join(dir, "scratch");
  await writeFile(join(scratch, "left.db"), "");
  await writeFile(join(dir, "template-00ff.db"), "");
  await mkdir(dirname(tenantry.driver.files.pathOf("stray")), { recursive: true });
  await copyFile(tenantry.driver.files.pathOf("acme"), tenantry.driver.files.pathOf("stray"));
  const ills = (findings: Finding[]): string[] =>
    findings.filter(({ severity }) => severity !== "ok").map(({ check }) => check);

  expect(ills(await examineData(tenantry))).toEqual(["orphan-files", "templates"]);
  expect(ills(await examineData(tenantry, { scratchAgeMs: -1 }))).toEqual([
    "orphan-files",
    "scratch",
    "templates",
  ]);
  expect(ills(await examineData(tenantry, { fix: true }))).toEqual(["orphan-files"]);
  expect(await readdir(scratch)).toEqual(["left.db"]);
  expect(ills(await examineData(tenantry, { fix: true, scratchAgeMs: -1 }))).toEqual(["orphan-files"]);
  expect(await readdir(scratch)).toEqual([]);
  expect((await readdir(dir)).filter((name) => name.startsWith("template-"))).toHaveLength(1);
});

test("the machine is fit, and versions are compared by their numbers", async () => {
  const findings = await examineMachine(dir);
  expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
  expect((await examineMachine(join(dir, "nowhere"))).find(({ check }) => check === "folder")).toMatchObject({
    severity: "error",
  });
  expect(compareVersions("3.51.10", "3.51.3")).toBeGreaterThan(0);
  expect(compareVersions("3.51.3", "3.51.3")).toBe(0);
  expect(compareVersions("3.9", "3.51.3")).toBeLessThan(0);
});
