// Owns what a service must do so that databases come and go with their tenants, and how a new one is told from
// one that was there. Speaks to no service.
import { TenantryError } from "../../tenantry-error.ts";
import type { Handle, StagedDatabase } from "../driver.ts";

/** Makes and removes databases of a service. */
export interface RemoteProvisioner {
  /** Makes a database: "there" where one of that name is there already. */
  create(name: string): Promise<"created" | "there">;
  exists(name: string): Promise<boolean>;
  /** Removes a database; what is not there is no error. */
  remove(name: string): Promise<void>;
}

/** Marks a database that is being made: until its tenant is in the catalog, it is nobody's. */
const MARK = "_tenantry_staged";

/**
 * Makes a remote database ready. It has its name from the start, so what a creation left that was cut short is
 * found by its mark, or by being empty, and taken over. Nothing is ever removed or overwritten here: two who
 * create the same tenant at once work on the same database, and the catalog decides.
 *
 * @param fresh whether it was just made, and may have what it was seeded with
 * @throws {TenantryError} `DATABASE_EXISTS` where it holds something that is not ours, and what `build` throws
 */
export async function stageRemote<H extends Handle>(
  name: string,
  fresh: boolean,
  open: () => Promise<H>,
  build: (handle: H) => Promise<void>,
): Promise<StagedDatabase> {
  const handle = await open();
  try {
    if (!fresh) await assertOurs(name, handle);
    await handle.exec(`CREATE TABLE IF NOT EXISTS ${MARK} (staged_at TEXT DEFAULT CURRENT_TIMESTAMP)`);
    await build(handle);
    const sizeBytes = await handle.sizeBytes();
    return { sizeBytes, commit: () => unmark(open), discard: async () => {} };
  } finally {
    await handle.close();
  }
}

async function assertOurs(name: string, handle: Handle): Promise<void> {
  const { rows } = await handle.run({
    sql: "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
    params: [],
  });
  const names = rows.map((row) => (row as { name: string }).name);
  if (names.length === 0 || names.includes(MARK)) return;
  throw new TenantryError("DATABASE_EXISTS", `The remote database of "${name}" is there, and is not empty.`, {
    hint: "Delete it where it is kept, or choose another id: nothing of it was changed.",
  });
}

/** Opened anew: a tenant may have been made and deleted meanwhile, and its database with it. */
async function unmark(open: () => Promise<Handle>): Promise<void> {
  const handle = await open();
  try {
    await handle.exec(`DROP TABLE IF EXISTS ${MARK}`);
  } finally {
    await handle.close();
  }
}
