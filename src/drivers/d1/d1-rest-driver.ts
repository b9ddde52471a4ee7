// Owns tenants in D1 databases made at run time, reached by Cloudflare's API from anywhere.
// Within a Worker a binding is nearer: d1-binding-driver.ts.
import * as v from "valibot";
import { checkOptions } from "../../check-options.ts";
import { isTenantryError, TenantryError } from "../../tenantry-error.ts";
import type { Driver, Handle } from "../driver.ts";
import { DEFAULT_MAX_RETRIES } from "../remote/remote-calls.ts";
import { stageRemote } from "../remote/remote-provisioner.ts";
import { RemoteSql } from "../remote/remote-sql.ts";
import { d1Handle } from "./d1-handle.ts";
import { errorsOf, RestApi } from "./rest-api.ts";
import { restBinding } from "./rest-binding.ts";
import { type D1Maintenance, d1Maintenance } from "./rest-maintenance.ts";

export const DEFAULT_D1_REQUEST_TIMEOUT_MS = 35_000;

/** Cloudflare's code for a name that is taken. */
const NAME_TAKEN = 7502;

/** Options of {@link d1RestDriver}. */
export interface D1RestDriverOptions {
  readonly accountId: string;
  /** A token with the permission D1:Edit, or a function that gives it, and another one where that was refused. */
  readonly apiToken: string | ((request: { readonly renew: boolean }) => string | Promise<string>);
  /** The driver's name in the catalog. @default "d1" */
  readonly name?: string | undefined;
  /** The database's name at Cloudflare. @default the tenant's id */
  readonly databaseName?: ((tenant: string) => string) | undefined;
  /** Where new databases are to be, as a wish. @default where they are made from */
  readonly locationHint?: "wnam" | "enam" | "weur" | "eeur" | "apac" | "oc" | undefined;
  /** Where new databases must be. @default anywhere */
  readonly jurisdiction?: "eu" | "fedramp" | "us" | undefined;
  /** Milliseconds that one request may take; D1 itself takes 30 seconds at most. @default 35000 */
  readonly requestTimeoutMs?: number | undefined;
  /** How often a request is sent again where that is safe. @default 2 */
  readonly maxRetries?: number | undefined;
  /** Databases open at once: a budget of their own, beside that of files. @default 512 */
  readonly maxOpen?: number | undefined;
  /** The API's address. @default Cloudflare's */
  readonly baseUrl?: string | undefined;
  /** Milliseconds between two questions whether an export or import is done. @default 1000 */
  readonly pollMs?: number | undefined;
}

const count = v.pipe(v.number(), v.integer("is a whole number"), v.minValue(1, "is at least 1"));
const OPTIONS = v.strictObject({
  accountId: v.pipe(v.string("is an account's id"), v.nonEmpty("is an account's id")),
  apiToken: v.union([v.string(), v.function()], "is a text or a function"),
  name: v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]*$/, "is lower-case letters, digits and -"))),
  databaseName: v.optional(v.function()),
  locationHint: v.optional(v.picklist(["wnam", "enam", "weur", "eeur", "apac", "oc"])),
  jurisdiction: v.optional(v.picklist(["eu", "fedramp", "us"])),
  requestTimeoutMs: v.optional(count),
  maxRetries: v.optional(
    v.pipe(v.number(), v.integer("is a whole number"), v.minValue(0, "is not negative")),
  ),
  maxOpen: v.optional(count),
  baseUrl: v.optional(v.string()),
  pollMs: v.optional(count),
});

/** A {@link Driver} whose databases are D1's, by REST. */
export interface D1RestDriver extends Driver {
  /** Time travel, export and import. */
  readonly maintenance: D1Maintenance;
}

/**
 * Tenants in D1 databases, each made when its tenant is: up to 50,000 in an account.
 *
 * @throws {TenantryError} `INVALID_OPTION`
 * @example
 * const { CLOUDFLARE_ACCOUNT_ID: accountId = "", CLOUDFLARE_API_TOKEN: apiToken = "" } = process.env;
 * const driver = d1RestDriver({ accountId, apiToken });
 */
export function d1RestDriver(given: D1RestDriverOptions): D1RestDriver {
  const options = checkOptions(OPTIONS, given) as D1RestDriverOptions;
  const { databaseName = (tenant: string) => tenant, locationHint, jurisdiction } = options;
  const api = new RestApi({
    accountId: options.accountId,
    apiToken: options.apiToken,
    baseUrl: options.baseUrl,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_D1_REQUEST_TIMEOUT_MS,
    maxRetries: options.maxRetries ?? DEFAULT_MAX_RETRIES,
  });
  const account = { account_id: api.accountId };
  const sql = new RemoteSql();
  /** The API knows databases by their id. A name's changes with each database of that name. */
  const ids = new Map<string, string>();

  const findId = async (name: string): Promise<string | undefined> => {
    const wanted = databaseName(name);
    const { result } = await api.call(name, false, (d1) => d1.list({ ...account, name: wanted }));
    return result.find((one) => one.name === wanted)?.uuid;
  };
  const idOf = async (name: string): Promise<string> => {
    const id = ids.get(name) ?? (await findId(name));
    if (id === undefined) throw missing(name);
    ids.set(name, id);
    return id;
  };
  const maintenance = d1Maintenance(api, idOf, options.pollMs);
  const open = async (name: string): Promise<Handle> => {
    const id = await idOf(name);
    // The interface has no sessions: it reads from the primary.
    const { withBookmark: _none, ...handle } = d1Handle(restBinding({ api, name, id, sql }), sql);
    try {
      // The first question is whether it is there.
      await handle.sizeBytes();
    } catch (error) {
      if (isTenantryError(error, "DATABASE_MISSING")) ids.delete(name);
      throw error;
    }
    return {
      ...handle,
      bookmark: (at) => maintenance.bookmark(name, at === undefined ? undefined : new Date(at)),
      restore: (bookmark) => maintenance.restore(name, { bookmark }),
    };
  };
  /** Whether it was made just now. */
  const create = async (name: string): Promise<boolean> =>
    // Made twice is made once: the second is told that it is there.
    api.call(name, false, async (d1) => {
      try {
        const { uuid } = await d1.create({
          ...account,
          name: databaseName(name),
          ...(locationHint && { primary_location_hint: locationHint }),
          ...(jurisdiction && { jurisdiction }),
        });
        if (uuid !== undefined) ids.set(name, uuid);
        return true;
      } catch (error) {
        if (errorsOf(error).some(({ code }) => code === NAME_TAKEN)) return false;
        throw error;
      }
    });

  return {
    name: options.name ?? "d1",
    capabilities: { transactions: false, sessions: false, snapshots: false, bigint: false },
    descriptorsPerHandle: 0,
    ...(options.maxOpen !== undefined && { maxOpen: options.maxOpen }),
    maintenance,
    open,
    exists: async (name) => (await findId(name)) !== undefined,
    async stage(name, source) {
      if ("file" in source) {
        throw new TenantryError("UNSUPPORTED", "D1 cannot take over a database file.", {
          hint: "Make it a tenant of files, and copy that: tenantry copy acme --to d1:acme",
        });
      }
      ids.delete(name);
      const made = await create(name);
      return stageRemote(name, made, () => open(name), source.build);
    },
    // Nobody has a D1 database open; who serves the tenant elsewhere lets go within a moment.
    quiesce: async () => {},
    async remove(name) {
      ids.delete(name);
      const id = await findId(name);
      if (id === undefined) return;
      await api
        .call(name, false, (d1) => d1.delete(id, account))
        .catch((error: unknown) => {
          if (!isTenantryError(error, "DATABASE_MISSING")) throw error;
        });
    },
  } satisfies D1RestDriver;
}

function missing(name: string): TenantryError {
  return new TenantryError("DATABASE_MISSING", `The D1 database of "${name}" is not there.`, {
    hint: "Restore it where it is kept, or delete the tenant.",
  });
}
