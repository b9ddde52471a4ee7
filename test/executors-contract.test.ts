// The contract of a tenant's database, with executors: who calls it cannot tell.
import { afterAll, beforeAll } from "vitest";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTenantId } from "../src/tenant-id.ts";
import { createTenantry, type Tenantry } from "../src/tenantry.ts";
import { driverContract } from "./driver-contract.ts";
import { LOCAL_SKIPS } from "./support/local-skips.ts";

let data: string;
let tenantry: Tenantry;
let count = 0;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "tenantry-"));
  tenantry = await createTenantry({ data });
  await tenantry.executors({ executors: 2 }).start();
});

afterAll(async () => {
  await tenantry.close();
  await rm(data, { recursive: true });
});

driverContract("a tenant in an executor", {
  open: async () => {
    const id = parseTenantId(`tenant-${count++}`);
    await tenantry.lifecycle.create(id);
    return tenantry.database(id);
  },
  skips: LOCAL_SKIPS,
});
