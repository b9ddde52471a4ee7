// Owns the contract's runs against libSQL: over HTTP to a Tenantry's own Hrana endpoint, and on libSQL files.
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { tenantDatabase } from "../src/database/tenant-database.ts";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import { driverContract } from "./driver-contract.ts";
import { LIBSQL_FILE_SKIPS, LIBSQL_SKIPS } from "./support/libsql-skips.ts";
import { runningServer } from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

driverContract("libSQL over HTTP, to Tenantry's own endpoint", {
  open: async () => {
    const server = await runningServer({ tenants: ["acme"], tenantry: { migrations: undefined } });
    const driver = libsqlDriver({ url: `${server.url}/t/{tenant}` });
    const handle = await driver.open("acme");
    onTestFinished(() => handle.close());
    return tenantDatabase(handle);
  },
  skips: LIBSQL_SKIPS,
});

driverContract("libSQL file", {
  open: async () => {
    const driver = libsqlDriver({ url: "file:./{tenant}.db" });
    const handle = await driver.openUrl(`file:${join(await tempFolder(), "contract.db")}`);
    onTestFinished(() => handle.close());
    return tenantDatabase(handle);
  },
  skips: LIBSQL_FILE_SKIPS,
  // It ends the process.
  untried: ["text that is not UTF-8 comes back with replacement characters"],
});
