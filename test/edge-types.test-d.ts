// Owns the proof, made by the compiler, that Cloudflare's own types fit where bindings are taken.
// Nothing here runs.
import type {
  D1Database,
  DurableObjectNamespace,
  DurableObjectState,
  DurableObjectStorage,
  ExportedHandler,
} from "@cloudflare/workers-types";
import type { D1Binding } from "../src/driver-d1.ts";
import type { ObjectNamespace } from "../src/driver-durable-object.ts";
import type { ObjectContext, ObjectStorage } from "../src/drivers/durable-object/object-storage.ts";
import type { TenantryWorker } from "../src/worker.ts";

type AssignableTo<To, From extends To> = From;

export type Proof = [
  AssignableTo<ObjectNamespace, DurableObjectNamespace>,
  AssignableTo<D1Binding, D1Database>,
  AssignableTo<ObjectContext, DurableObjectState>,
  AssignableTo<ObjectStorage["kv"], DurableObjectStorage["kv"]>,
  AssignableTo<Pick<ObjectStorage, "deleteAll" | "sync" | "getAlarm">, DurableObjectStorage>,
  AssignableTo<keyof ExportedHandler, keyof TenantryWorker<unknown>>,
];
