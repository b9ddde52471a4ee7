// Owns the contract's runs against SQLite files on this machine, by the driver alone and as a tenant of a
// whole Tenantry.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tenantDatabase } from "../src/database/tenant-database.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry } from "../src/tenantry.ts";
import { driverContract } from "./driver-contract.ts";
import { LOCAL_SKIPS } from "./support/local-skips.ts";

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
  skips: LOCAL_SKIPS,
});

driverContract("a tenant on the local driver", {
  open: async () => {
    const tenantry = await createTenantry({ data: await folder() });
    onTestFinished(() => tenantry.close());
    await tenantry.lifecycle.create(parseTenantId("acme"));
    return tenantry.database("acme");
  },
  skips: LOCAL_SKIPS,
});

test("a write's size_after can be read after the database is closed", async () => {
  const dir = await folder();
  const handle = await localDriver({ dir }).openFile(join(dir, "closed.db"), { create: true });
  await handle.sizeBytes();
  const { meta } = await tenantDatabase(handle).prepare("CREATE TABLE t (x)").run();
  await handle.close();
  expect(meta.size_after).toBeGreaterThanOrEqual(4096);
});
