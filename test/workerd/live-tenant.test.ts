// Holds what is looked at in an account (test/live-cloudflare.test.ts) to what can be seen of it here: an object that
// really goes back in time, in sessions that really end, and D1 with its bookmarks.
import { env, reset } from "cloudflare:test";
import { beforeEach, test } from "vitest";
import { byTemplate, d1BindingDriver, d1Database } from "../../src/driver-d1.ts";
import { durableObjectDriver, objectDatabase } from "../../src/driver-durable-object.ts";
import { createWorkerTenantry, type WorkerTenantryOptions } from "../../src/worker.ts";
import { checkTenant, keepsNoPast, type Send, sender } from "../support/live-tenant.ts";

async function sendTo(options: WorkerTenantryOptions): Promise<Send> {
  const tenantry = await createWorkerTenantry(options);
  const { hono } = await tenantry.app({ adminKey: env.TENANTRY_ADMIN_KEY });
  return sender("https://tenants.example", env.TENANTRY_ADMIN_KEY, (url, init) => hono.request(url, init));
}

beforeEach(() => reset());

test("an object goes back in time and forward again", async () => {
  const send = await sendTo({
    driver: durableObjectDriver({ namespace: env.PAST }),
    catalog: objectDatabase({ namespace: env.TENANTS }),
  });
  await checkTenant(send, { past: { apartMs: 0 } });
});

test("D1 that is bound tells bookmarks, and has no past by its binding", async () => {
  const send = await sendTo({
    driver: d1BindingDriver({ databases: byTemplate(env, "TENANT_{TENANT}") }),
    catalog: d1Database(env.CATALOG),
  });
  await checkTenant(send, { tenant: "acme", copies: true, past: keepsNoPast("d1") });
});
