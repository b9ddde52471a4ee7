// Holds Tenantry on Cloudflare to what no machine without an account can see: a tenant that really goes back in time,
// in a Durable Object of a deployed Worker, in D1 by REST, and what D1's bookmarks promise.
// The same steps run against what stands for them here, and where that keeps no past it has to say so.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";
import { d1RestDriver } from "../src/drivers/d1/d1-rest-driver.ts";
import { blocksOf } from "./docs-blocks.ts";
import { type D1ApiStandIn, d1Api } from "./support/d1-api.ts";
import { liveAccount } from "./support/live-account.ts";
import { checkTenant, keepsNoPast, LOCAL_RUNTIME, sender } from "./support/live-tenant.ts";
import { localWorker } from "./support/local-worker.ts";
import { runningServer } from "./support/running-server.ts";

/** Cloudflare tells times apart by the minute. */
const APART_MS = 65_000;
/** Each of them is waited for twice. */
const MINUTES_MS = 600_000;

const deployed = liveAccount("TENANTRY_LIVE_URL", "TENANTRY_LIVE_KEY");
const bound = liveAccount("TENANTRY_LIVE_D1_URL", "TENANTRY_LIVE_D1_KEY", "TENANTRY_LIVE_D1_TENANT");
const rest = liveAccount("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN");

describe("at Cloudflare", { timeout: MINUTES_MS }, () => {
  test.skipIf(deployed.missing)(
    deployed.title("a Durable Object goes back in time, forward again, and is gone with its tenant"),
    async () => {
      const { TENANTRY_LIVE_URL: url, TENANTRY_LIVE_KEY: key } = deployed.settings;
      await checkTenant(sender(url, key), { past: { apartMs: APART_MS } });
    },
  );

  test.skipIf(bound.missing)(
    bound.title("D1 that is bound shows what was written, by bookmark"),
    async () => {
      const {
        TENANTRY_LIVE_D1_URL: url,
        TENANTRY_LIVE_D1_KEY: key,
        TENANTRY_LIVE_D1_TENANT: tenant,
      } = bound.settings;
      await checkTenant(sender(url, key), { tenant, copies: true, past: keepsNoPast("d1") });
    },
  );

  test.skipIf(rest.missing)(rest.title("D1 by REST goes back in time and forward again"), async () => {
    const { CLOUDFLARE_ACCOUNT_ID: accountId, CLOUDFLARE_API_TOKEN: apiToken } = rest.settings;
    const driver = d1RestDriver({ accountId, apiToken });
    const { url } = await runningServer({ tenants: [], tenantry: { driver } });
    await checkTenant(sender(url), { past: { apartMs: APART_MS } });
  });
});

describe("here", () => {
  let api: D1ApiStandIn;
  beforeAll(async () => void (api = await d1Api()));
  afterAll(() => api.close());

  test("a Worker on this machine does all of it, but says that its runtime keeps no past", async () => {
    const { secret: key } = await createApiKey();
    await checkTenant(sender(await localWorker(key), key), { past: LOCAL_RUNTIME });
  });

  test("the stand-in of D1's API goes back in time and forward again", async () => {
    const driver = d1RestDriver({ accountId: "account", apiToken: "token", baseUrl: api.baseUrl });
    const { url } = await runningServer({ tenants: [], tenantry: { driver } });
    await checkTenant(sender(url), { past: { apartMs: 0 } });
    expect(api.names()).toEqual([]);
  });

  test("a tenant that is there is somebody's, and not touched", async () => {
    const { url, query } = await runningServer({ tenants: ["acme"] });
    await query("acme", "INSERT INTO customers (name) VALUES ('Ada')");
    await expect(checkTenant(sender(url), { tenant: "acme", past: LOCAL_RUNTIME })).rejects.toThrow();
    expect((await query("acme", "SELECT name FROM customers")).body.results).toEqual([{ name: "Ada" }]);
  });

  test("what fails on the way leaves no tenant", async () => {
    const { url, tenantry } = await runningServer({ tenants: [] });
    await expect(checkTenant(sender(url), { past: { apartMs: 0 } })).rejects.toThrow("501");
    const { tenants } = await tenantry.catalog.list({ state: "active" });
    expect(tenants).toEqual([]);
  });
});

test("the page says the command and the variables of this check", () => {
  const said = blocksOf("docs/deploy-cloudflare.md")
    .map(({ text }) => text)
    .join("\n");
  expect(said).toContain("npx vitest run --project node --reporter verbose test/live-cloudflare.test.ts");
  for (const { settings } of [deployed, bound, rest])
    for (const name of Object.keys(settings)) expect(said).toContain(` ${name}=`);
});
