// Owns the database of one object that is nobody's tenant, such as the catalog's: made where it is not there.
import type { DurableObjectDriverOptions } from "./durable-object-driver.ts";
import { type DurableObjectHandle, durableObjectHandle } from "./durable-object-handle.ts";
import { ObjectCalls, READS, WRITES } from "./object-calls.ts";
import { StaleHandleError } from "../stale-handle.ts";

/** The object that is the catalog, unless it is named otherwise: no tenant has such a name. */
export const DEFAULT_CATALOG_OBJECT = "_catalog";

/** Options of {@link objectDatabase}. */
export interface ObjectDatabaseOptions extends DurableObjectDriverOptions {
  /** The object's name; one that no tenant has. @default "_catalog" */
  readonly object?: string;
}

/**
 * The database of an object of its own: for the catalog.
 *
 * @throws {TenantryError} `INVALID_OPTION`, `DATABASE_IO`
 * @example
 * const catalog = await objectDatabase({ namespace: env.TENANTS });
 */
export async function objectDatabase({
  object = DEFAULT_CATALOG_OBJECT,
  ...options
}: ObjectDatabaseOptions): Promise<DurableObjectHandle> {
  const called = new ObjectCalls(options).of(object);
  const open = () => called.ask(READS, (to) => to.open());
  const opened =
    (await open()) ??
    (await called
      .ask(WRITES, (to) => to.create(undefined))
      .catch(async (error: unknown) => {
        // Another isolate has made it in between.
        const made = error instanceof StaleHandleError ? await open() : undefined;
        if (made === undefined) throw error;
        return made;
      }));
  return durableObjectHandle(called, opened);
}
