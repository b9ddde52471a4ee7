// Owns the contract's runs against SQLite files on this machine, by the driver alone and as a tenant of a
// whole Tenantry, and why the local driver differs from D1.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tenantDatabase } from "../src/database/tenant-database.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { driverContract } from "./driver-contract.ts";

const SKIPS = {
  "its bookmark is null at first and a string after a query":
    "there is one copy and nothing to wait for, so the bookmark stays null",
  "a view other than of bytes is bound element by element, modulo 256": "the view's bytes are bound",
  "a DataView is bound as an empty BLOB": "the view's bytes are bound",
  "the infinities are NULL, in and out": "they stay numbers until JSON makes null of them",
  "a bigint is refused": "it is bound as a 64-bit integer",
  "a column may be named __proto__": "better-sqlite3 leaves it out of an object; raw() has it",
  "two names for parameters may differ in their first character only":
    "better-sqlite3 sees one name, so they are refused",
  "negative zero comes back as zero": "the sign is kept",
  "several statements in prepare() all run, and the last one answers": "SQL_MANY_STATEMENTS: use batch()",
  "a comment after the semicolon is a statement that is not there": "a comment is no statement",
  "a blank statement is left out of a batch": "SQL_NO_STATEMENT, so that answers match statements",
  "exec() counts lines and cannot take a statement over two": "it counts statements, whatever their lines",
  "more than a hundred parameters are refused": "SQLite's own limit of 32,766",
  "SQL over 100,000 bytes is refused": "limits of that kind are HTTP's",
  "SQLite's limits are small": "SQLite's own limits",
  "a quoted name that is no column is a string": "no such column: misspelt names are found",
  "VACUUM and reading about the file are refused":
    "VACUUM is, in other words; pragmas that only read are allowed",
};

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

driverContract("local driver", {
  open: async () => {
    const dir = await folder();
    const handle = await localDriver({ dir }).openFile(join(dir, "contract.db"), { create: true });
    onTestFinished(() => handle.close());
    return tenantDatabase(handle);
  },
  skips: SKIPS,
});

driverContract("a tenant on the local driver", {
  open: async () => {
    const tenantry = await createTenantry({ data: await folder() });
    onTestFinished(() => tenantry.close());
    await tenantry.lifecycle.create(parseTenantId("acme"));
    return tenantry.database("acme");
  },
  skips: SKIPS,
});

test("a write's size_after can be read after the database is closed", async () => {
  const dir = await folder();
  const handle = await localDriver({ dir }).openFile(join(dir, "closed.db"), { create: true });
  await handle.sizeBytes();
  const { meta } = await tenantDatabase(handle).prepare("CREATE TABLE t (x)").run();
  await handle.close();
  expect(meta.size_after).toBeGreaterThanOrEqual(4096);
});
