// Holds a Worker that lacks a binding or a key to saying so, as its own fault and not its callers'.
import { env, reset } from "cloudflare:test";
import { beforeEach, expect, test } from "vitest";
import { d1Database } from "../../src/driver-d1.ts";
import { durableObjectDriver, objectDatabase } from "../../src/driver-durable-object.ts";
import { tenantryWorker, type WorkerSettings } from "../../src/worker.ts";

beforeEach(() => reset());

const objects = { namespace: env.TENANTS };
const nothing = undefined as never;

test.for<[string, () => WorkerSettings, RegExp]>([
  [
    "no key",
    () => ({ driver: durableObjectDriver(objects), catalog: objectDatabase(objects) }),
    /wrangler secret put/,
  ],
  [
    "no objects",
    () => ({ driver: durableObjectDriver({ namespace: nothing }), catalog: objectDatabase(objects) }),
    /durable_objects/,
  ],
  [
    "no D1 for the catalog",
    () => ({ driver: durableObjectDriver(objects), catalog: d1Database(nothing) }),
    /d1_databases/,
  ],
])("%s", async ([, configure, hint]) => {
  const worker = tenantryWorker(configure);
  for (const path of ["/admin/tenants", "/t/acme/query", "/readyz"]) {
    const answer = await worker.fetch(new Request(`https://tenants.example${path}`), env, { waitUntil() {} });
    expect([answer.status, await answer.json()]).toMatchObject([
      500,
      { code: "INVALID_OPTION", hint: expect.stringMatching(hint) },
    ]);
  }
});
