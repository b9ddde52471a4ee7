// Owns what the HTTP rooms hand to each other through Hono's context.
// Sets none of it: the app puts it there, the routes read it.
import type { Caller } from "../auth/caller.ts";
import type { SqlRunner } from "../drivers/driver.ts";
import type { TenantId } from "../tenant-id.ts";

/** What a caller wants to do with a tenant's database. */
export type TenantAction = "read" | "write" | "schema";

/** The bounds of one request. */
export interface RequestLimits {
  /** Rows in an answer; more is `TOO_MANY_ROWS`. */
  readonly maxRows: number;
  /** Bytes of the values in an answer; more is `RESPONSE_TOO_LARGE`. */
  readonly maxResponseBytes: number;
  /** Bytes of a request's body; more is `BODY_TOO_LARGE`. */
  readonly maxBodyBytes: number;
}

/** Hono's environment below a tenant's routes. */
export interface TenantryEnv {
  Variables: {
    tenant: TenantId;
    /** Runs SQL on the tenant's database for as long as the request lasts. */
    runner: SqlRunner;
    /** Who asks, as the authorising room found out. */
    caller: Caller;
    limits: RequestLimits;
    /** Names this tenant's database in caches: the tenant's id and its incarnation. */
    schemaKey: string;
    /** Milliseconds that the tenant's requests may take. @default the server's own limit */
    statementTimeoutMs?: number;
    /** Whether the driver gives and takes 64-bit integers exactly: its capability `bigint`. */
    exactIntegers: boolean;
    /** Whether the driver has connections to pin: its capability `sessions`. @default true */
    sessions?: boolean;
    /** Whether the driver itself does a write once, by a key: its capability `once`. @default false */
    once?: boolean;
    /** @throws {TenantryError} `FORBIDDEN`, `UNAUTHENTICATED` or `TENANT_NOT_FOUND` */
    authorize: (action: TenantAction) => void;
  };
}

/** Hono's environment below `/admin`. */
export interface AdminEnv {
  Variables: {
    /** Who asks: somebody with the right. */
    caller: Caller;
    /** Whether that is a command line on this machine, with the rights of the data folder. */
    onThisMachine?: true;
  };
}
