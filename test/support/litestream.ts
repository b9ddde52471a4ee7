// Owns Litestream for tests: whether it is here, and a replica that is brought up to date once.
// Asserts nothing.
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findLitestream, type LitestreamBinary } from "../../src/backups/litestream-binary.ts";
import { replicaPath } from "../../src/backups/replica-url.ts";
import { parseTenantId } from "../../src/tenant-id.ts";
import type { Tenantry } from "../../src/tenantry.ts";

const found = await findLitestream().then(
  (binary) => ({ binary, reason: undefined }),
  (error: Error) => ({ binary: undefined, reason: error.message }),
);

/** Why there is no Litestream here; undefined where there is one. */
export const NO_LITESTREAM: string | undefined = found.reason;

/** Litestream's program. */
export function litestream(): LitestreamBinary {
  if (!found.binary) throw new Error(found.reason);
  return found.binary;
}

/** Brings a tenant's replica up to date, as the server does, and notes that it is. @param folder the replica's */
export async function replicateOnce(tenantry: Tenantry, tenant: string, folder: string): Promise<void> {
  const { catalog, driver } = tenantry;
  const record = await catalog.get(parseTenantId(tenant), { fresh: true });
  if (!record) throw new Error(`There is no ${tenant}`);
  const url = `file://${folder}/${replicaPath(record)}`;
  await promisify(execFile)(litestream().path, ["replicate", "-once", driver.files.pathOf(record.id), url]);
  const files = await readdir(lineFolder(folder, record));
  const txid = Math.max(...files.map((name) => Number.parseInt(name.slice(17, 33), 16)));
  await catalog.backups.markDirty(record.id);
  await catalog.backups.settle(record);
  await catalog.backups.clean(record, txid);
}

/** Where the newest files of a tenant's line lie. */
export function lineFolder(folder: string, record: Parameters<typeof replicaPath>[0]): string {
  return join(folder, replicaPath(record), "ltx", "0");
}
