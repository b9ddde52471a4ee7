// The handles in /metrics: those of the executors, where tenants' databases are open, and of executors that ended.
import { expect, test, vi } from "vitest";
import { runningServer } from "./support/running-server.ts";

const PATIENT = { timeout: 20_000, interval: 50 };

test("handles are counted where they are, also of an executor that was killed", async () => {
  const server = await runningServer({
    tenants: ["acme", "globex"],
    executors: { executors: 1 },
    tenantry: { maxOpen: 8 },
  });
  const figure = async (name: string): Promise<number> => {
    const { text } = await server.send("GET", "/metrics");
    return Number(new RegExp(`^tenantry_handles_${name} (.+)$`, "m").exec(text)?.[1]);
  };
  const own = server.tenantry.tenants.stats();
  for (const tenant of ["acme", "globex", "acme"]) await server.query(tenant, "SELECT 1");
  await vi.waitFor(async () => expect(await figure("opens_total")).toBe(own.opens + 2), PATIENT);
  expect(await figure("open")).toBe(own.open + 2);
  const hits = await figure("hits_total");
  expect(hits).toBeGreaterThan(own.hits);
  expect(await figure("max_open")).toBe(8);

  process.kill(server.pool!.stats().executors[0]!.pid!, "SIGKILL");
  await vi.waitFor(async () => expect((await server.query("acme", "SELECT 1")).status).toBe(200), PATIENT);
  await vi.waitFor(async () => expect(await figure("opens_total")).toBe(own.opens + 3), PATIENT);
  await vi.waitFor(async () => expect(await figure("open")).toBe(own.open + 1), PATIENT);
  expect(await figure("hits_total")).toBeGreaterThanOrEqual(hits);
});
