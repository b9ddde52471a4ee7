// Owns the contract's run against D1 by REST: a stand-in of Cloudflare's API in front of D1 in workerd.
import { afterAll, beforeAll } from "vitest";
import { tenantDatabase } from "../src/database/tenant-database.ts";
import { d1RestDriver } from "../src/drivers/d1/d1-rest-driver.ts";
import { driverContract } from "./driver-contract.ts";
import { type D1ApiStandIn, d1Api } from "./support/d1-api.ts";
import { D1_REST_SKIPS } from "./support/d1-rest-skips.ts";

let api: D1ApiStandIn;

beforeAll(async () => {
  api = await d1Api();
});

afterAll(() => api.close());

driverContract("D1 by REST", {
  open: async () => {
    await api.reset();
    const driver = d1RestDriver({ accountId: "account", apiToken: "token", baseUrl: api.baseUrl });
    await (await driver.stage("acme", { key: "none", build: async () => {} })).commit();
    return tenantDatabase(await driver.open("acme"));
  },
  skips: D1_REST_SKIPS,
});
