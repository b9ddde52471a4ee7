// Holds tenants at Turso to what no machine without an account can see: databases made and removed by its API, written
// and read over its network, and embedded replicas of them that hear of others' writes.
// The same steps run against what stands for Turso here.
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { libsqlFromSettings } from "../src/cli/libsql-settings.ts";
import { libsqlDriver } from "../src/drivers/libsql/libsql-driver.ts";
import type { LibsqlDriverOptions } from "../src/drivers/libsql/libsql-options.ts";
import { tursoProvisioner } from "../src/drivers/libsql/turso-provisioner.ts";
import type { Driver } from "../src/drivers/driver.ts";
import { blocksOf } from "./docs-blocks.ts";
import { liveAccount } from "./support/live-account.ts";
import { checkTenant, keepsNoPast, type LiveTenant, randomTenant, sender } from "./support/live-tenant.ts";
import { LibsqlPrimary } from "./support/libsql-primary.ts";
import { libsqlServer } from "./support/libsql-server.ts";
import { runningServer } from "./support/running-server.ts";
import { tempFolder } from "./support/temp-folder.ts";
import { tursoApi } from "./support/turso-api.ts";

/** For a database to be made and synchronised. */
const MINUTES_MS = 300_000;
const NEWS_MS = 30_000;

const turso = liveAccount(
  "TENANTRY_LIBSQL_URL",
  "TENANTRY_LIBSQL_TOKEN",
  "TENANTRY_TURSO_ORG",
  "TENANTRY_TURSO_TOKEN",
  "TENANTRY_TURSO_GROUP",
);

async function check(driver: Driver, more: Partial<LiveTenant> = {}): Promise<void> {
  const { url } = await runningServer({ tenants: [], tenantry: { driver } });
  await checkTenant(sender(url), { past: keepsNoPast("libsql"), ...more });
}

/** As {@link check}, by a replica in a file here; `primary` is the same database over the network. */
async function checkReplica(
  primary: Driver,
  options: Omit<LibsqlDriverOptions, "url">,
  tenant?: string,
): Promise<void> {
  const url = `file:${join(await tempFolder(), "{tenant}.db")}`;
  await check(libsqlDriver({ ...options, url, syncIntervalMs: 1000 }), {
    ...(tenant !== undefined && { tenant }),
    async also(name, bodies) {
      const handle = await primary.open(name);
      await handle.run({ sql: "INSERT INTO live_check (body) VALUES ('news')", params: [] });
      await handle.close();
      await vi.waitFor(async () => expect(await bodies()).toEqual(["kept", "news"]), {
        timeout: NEWS_MS,
        interval: 100,
      });
    },
  });
}

describe("at Turso", { timeout: MINUTES_MS }, () => {
  const { settings, missing, title } = turso;

  test.skipIf(missing)(
    title("a tenant's database is made, used and removed, and nothing of it is left"),
    async () => {
      const driver = libsqlFromSettings(settings.TENANTRY_LIBSQL_URL) as Driver;
      const tenant = randomTenant();
      await check(driver, { tenant });
      expect(await driver.exists(tenant)).toBe(false);
    },
  );

  test.skipIf(missing)(title("a replica reads what is written through it, and by others"), async () => {
    const { TENANTRY_LIBSQL_URL: syncUrl, TENANTRY_LIBSQL_TOKEN: authToken } = settings;
    const { TENANTRY_TURSO_ORG: org, TENANTRY_TURSO_TOKEN: token, TENANTRY_TURSO_GROUP: group } = settings;
    const provisioner = tursoProvisioner({ org, token, group });
    await checkReplica(libsqlDriver({ url: syncUrl, authToken }), { syncUrl, authToken, provisioner });
  });
});

describe("here", () => {
  test("the stand-in of Turso's API makes a tenant's database, and removes it", async () => {
    const server = await libsqlServer();
    const { baseUrl, created } = await tursoApi(server);
    const provisioner = tursoProvisioner({ org: "acme", token: "platform", group: "default", baseUrl });
    const tenant = randomTenant();
    await check(libsqlDriver({ url: server.url, provisioner }), { tenant });
    expect(created).toEqual([{ name: tenant, group: "default" }]);
    expect(server.exists(tenant)).toBe(false);
  });

  test("a replica of the stand-in's pages reads what is written through it, and by others", async () => {
    const tenant = randomTenant();
    const primary = await LibsqlPrimary.start();
    await primary.do("bePlain", tenant);
    await checkReplica(libsqlDriver({ url: primary.url }), { syncUrl: primary.url }, tenant);
  });
});

test("the page says the command and the variables of this check", () => {
  const said = blocksOf("docs/deploy-turso.md")
    .map(({ text }) => text)
    .join("\n");
  expect(said).toContain("npx vitest run --project node --reporter verbose test/live-turso.test.ts");
  for (const name of Object.keys(turso.settings)) expect(said).toContain(` ${name}=`);
});
