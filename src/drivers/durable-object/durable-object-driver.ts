// Owns tenant databases that are Durable Objects, one each, found by name: open, create, stop, remove.
// Knows objects by their calls only; what an object does is src/objects'.
import { TenantryError } from "../../tenantry-error.ts";
import type { DatabaseSource, Driver, StagedDatabase } from "../driver.ts";
import { type DurableObjectHandle, durableObjectHandle } from "./durable-object-handle.ts";
import { ObjectCalls, type ObjectNamespace, READS, WRITES } from "./object-calls.ts";
import type { OpenedObject } from "./object-rpc.ts";

/** Options of {@link durableObjectDriver}. */
export interface DurableObjectDriverOptions {
  /** The binding of the class `TenantObject`. */
  readonly namespace: ObjectNamespace;
  /** Where an object is made that is reached for the first time, such as `"weur"`. @default near its first caller */
  readonly locationHint?: string;
  /** Where objects stay, such as `"eu"`. Objects of two jurisdictions are different ones. @default anywhere */
  readonly jurisdiction?: string;
}

/** A driver of Durable Objects. */
export interface DurableObjectDriver extends Driver<DurableObjectHandle> {
  readonly name: "durable-object";
}

/**
 * Databases that are Durable Objects. An object is one writer, on one thread: its statements run one after the
 * other, and a batch is one transaction.
 *
 * @throws {TenantryError} `INVALID_OPTION` where the binding is not there
 * @example
 * const driver = durableObjectDriver({ namespace: env.TENANTS, jurisdiction: "eu" });
 */
export function durableObjectDriver(options: DurableObjectDriverOptions): DurableObjectDriver {
  const calls = new ObjectCalls(options);
  /** The token under which a database was stopped: what is removed afterwards is that one, and no newer. */
  const stopped = new Map<string, string>();

  const openExisting = (name: string): Promise<OpenedObject | undefined> =>
    calls.of(name).ask(READS, (object) => object.open());

  return {
    name: "durable-object",
    capabilities: { transactions: false, sessions: false, snapshots: false, bigint: false, once: true },
    descriptorsPerHandle: 0,
    async open(name) {
      const opened = await openExisting(name);
      if (opened === undefined) {
        throw new TenantryError("DATABASE_MISSING", `The object "${name}" has no database.`, {
          hint: "Restore the tenant from an export, or delete it and create it anew.",
        });
      }
      return durableObjectHandle(calls.of(name), opened);
    },
    exists: async (name) => (await openExisting(name)) !== undefined,
    async stage(name, source) {
      if ("file" in source) throw unsupportedFiles();
      const before = await openExisting(name);
      return stagedObject(calls, name, before?.token, source);
    },
    async quiesce(name) {
      // Stopped twice is stopped: it can be sent again where the object was lost.
      const token = await calls.of(name).ask(READS, (object) => object.stop());
      if (token === undefined) stopped.delete(name);
      else stopped.set(name, token);
    },
    async remove(name) {
      const token = stopped.get(name);
      await calls.of(name).ask(WRITES, (object) => object.remove(token));
      stopped.delete(name);
    },
  } satisfies DurableObjectDriver;
}

/** @param before the token of what lies there, which nobody owns: it is replaced if it is still that */
function stagedObject(
  calls: ObjectCalls,
  name: string,
  before: string | undefined,
  source: Extract<DatabaseSource<DurableObjectHandle>, { build: unknown }>,
): StagedDatabase {
  let made: string | undefined;
  let committed = false;
  return {
    sizeBytes: 0,
    async commit() {
      const opened = await calls.of(name).ask(WRITES, (object) => object.create(before));
      made = opened.token;
      await source.build(durableObjectHandle(calls.of(name), opened));
      committed = true;
    },
    async discard() {
      if (committed || made === undefined) return;
      const token = made;
      await calls.of(name).ask(WRITES, (object) => object.remove(token));
    },
  };
}

function unsupportedFiles(): TenantryError {
  return new TenantryError("UNSUPPORTED", "A Durable Object cannot take over a database file.", {
    hint: "Create the tenant, and copy its tables.",
  });
}
