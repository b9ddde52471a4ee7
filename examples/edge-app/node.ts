// The product on Node: every company in a file of its own.
//   node examples/edge-app/node.ts [data folder] [port]
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
// In a project of your own: from "tenantry".
import { createTenantry, migrationSet } from "../../src/index.ts";
import { edgeApp } from "./app.ts";
import { MIGRATIONS } from "./migrations.ts";

const data = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "tenantry-")));
const port = Number(process.argv[3] ?? 3000);

const tenantry = await createTenantry({ data, migrations: await migrationSet(MIGRATIONS) });
const server = serve({ fetch: edgeApp(tenantry).fetch, hostname: "127.0.0.1", port }, (address) =>
  console.log(`http://127.0.0.1:${address.port}`),
);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => server.close(() => void tenantry.close()));
}
