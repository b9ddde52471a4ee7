// An open server is for this machine, whatever a request says of itself.
import { expect, test } from "vitest";
import { createTenantry } from "../src/tenantry.ts";
import { tempFolder } from "./support/temp-folder.ts";

test("a connection from elsewhere is nobody's, also when it says that it came to localhost", async () => {
  await using tenantry = await createTenantry({ data: await tempFolder() });
  const { hono } = tenantry.app();
  const statusFrom = async (remoteAddress: string): Promise<number> => {
    const request = new Request("http://localhost/admin/tenants", { headers: { host: "localhost" } });
    const response = await hono.fetch(request, { incoming: { socket: { remoteAddress } } });
    return response.status;
  };
  expect(await statusFrom("127.0.0.1")).toBe(200);
  expect(await statusFrom("::1")).toBe(200);
  expect(await statusFrom("::ffff:127.0.0.1")).toBe(200);
  expect(await statusFrom("203.0.113.5")).toBe(401);
  expect(await statusFrom("::ffff:203.0.113.5")).toBe(401);
});
