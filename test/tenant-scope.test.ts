// Holds scopes to their tenant across every await, timer and concurrent request.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { turn } from "./support/counting-handles.ts";
import { addNote, notesOf, tempTenantry } from "./support/temp-folder.ts";

test("a job knows its tenant across awaits and timers; outside of one there is none", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme"] });
  const none = { code: "NO_TENANT_SCOPE" };
  expect(() => tenantry.currentTenant()).toThrow(expect.objectContaining(none));
  await tenantry.run("acme", async (db) => {
    expect(tenantry.currentTenant()).toBe("acme");
    await db.prepare("SELECT 1").all();
    expect(tenantry.currentTenant()).toBe("acme");
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        expect(tenantry.currentTenant()).toBe("acme");
        queueMicrotask(() => {
          expect(tenantry.currentTenant()).toBe("acme");
          resolve();
        });
      }, 0);
    });
    await tenantry.withSqlite("acme", () => expect(tenantry.currentTenant()).toBe("acme"));
    await db.transaction("write", async (tx) => {
      await tx.prepare("SELECT 1").all();
      expect(tenantry.currentTenant()).toBe("acme");
    });
  });
  expect(() => tenantry.currentTenant()).toThrow(expect.objectContaining(none));
});

test("another tenant is out of reach inside a scope, in every way, and says whose scope it is", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "other"] });
  const elsewhere = tenantry.database("other");
  const wrong = expect.objectContaining({ code: "WRONG_TENANT", tenant: "acme" });
  await tenantry.run("acme", async () => {
    expect(() => tenantry.database("other")).toThrow(wrong);
    expect(() => tenantry.run("other", () => "no")).toThrow(wrong);
    // A database that was had before the scope began is no way round it.
    await expect(elsewhere.prepare("SELECT 1").all()).rejects.toEqual(wrong);
    await expect(elsewhere.exec("SELECT 1")).rejects.toEqual(wrong);
    await expect(elsewhere.batch([elsewhere.prepare("SELECT 1")])).rejects.toEqual(wrong);
    await expect(elsewhere.transaction("read", async () => "no")).rejects.toEqual(wrong);
    await expect(tenantry.withSqlite("other", () => "no")).rejects.toEqual(wrong);
    await expect(tenantry.tenants.lease("other" as never)).rejects.toEqual(wrong);
    await tenantry.run("acme", (db) => db.prepare("SELECT 1").all());
  });
  expect(await notesOf(tenantry, "other")).toEqual([]);
});

test("acrossTenants() reaches all for as long as its function runs, and no longer", async () => {
  const tenantry = await tempTenantry({ tenants: ["acme", "other"] });
  await tenantry.run("acme", async () => {
    await tenantry.acrossTenants(async () => {
      await addNote(tenantry, "other", "from across");
      expect(() => tenantry.currentTenant()).toThrow(expect.objectContaining({ code: "NO_TENANT_SCOPE" }));
      await tenantry.run("other", async () => expect(tenantry.currentTenant()).toBe("other"));
    });
    expect(tenantry.currentTenant()).toBe("acme");
    expect(() => tenantry.database("other")).toThrow(expect.objectContaining({ code: "WRONG_TENANT" }));
  });
  expect(await notesOf(tenantry, "other")).toEqual(["from across"]);
});

test("a name that is no tenant's id is refused, at once or as a rejection", async () => {
  const tenantry = await tempTenantry();
  const invalid = expect.objectContaining({ code: "INVALID_TENANT_ID" });
  expect(() => tenantry.database("../etc")).toThrow(invalid);
  expect(() => tenantry.run("../etc", () => "no")).toThrow(invalid);
  await expect(tenantry.withSqlite("../etc", () => "no")).rejects.toEqual(invalid);
});

test("requests of many tenants at the same time never see another's scope or rows", async () => {
  const names = ["a", "b", "c", "d"];
  const tenantry = await tempTenantry({ tenants: names, maxOpen: 2 });
  for (const name of names) await addNote(tenantry, name, name);
  const request = async (name: string, steps: readonly number[]): Promise<void> => {
    await tenantry.run(name, async (db) => {
      for (const step of steps) {
        if (step === 0) await turn();
        else if (step === 1) await new Promise((resolve) => void setTimeout(resolve, 0));
        else if (step === 2) await tenantry.withSqlite(name, (sqlite) => sqlite.prepare("SELECT 1").get());
        expect(tenantry.currentTenant()).toBe(name);
        const { results } = await db.prepare("SELECT body FROM notes").all();
        expect(tenantry.currentTenant()).toBe(name);
        expect(results).toEqual([{ body: name }]);
      }
    });
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...names), fc.array(fc.nat(3), { maxLength: 5 })), { maxLength: 20 }),
      async (requests) => {
        await Promise.all(requests.map(([name, steps]) => request(name, steps)));
      },
    ),
    { numRuns: 30 },
  );
});
