// Owns databases at Turso: making one with its tenant, and removing it, by the official `@tursodatabase/api`.
// Runs no SQL.
import { TenantryError } from "../../tenantry-error.ts";
import type { RemoteProvisioner } from "../remote/remote-provisioner.ts";
import { RemoteCalls } from "../remote/remote-calls.ts";
import { faultError, faultOfFetch, RemoteFault } from "../remote/remote-fault.ts";

/** Milliseconds that a request of the platform API may take. */
const API_TIMEOUT_MS = 30_000;

/** Options of {@link tursoProvisioner}. */
export interface TursoProvisionerOptions {
  /** The organisation's slug. */
  readonly org: string;
  /** A token of the platform API, or a function that gives it. */
  readonly token: string | (() => Promise<string>);
  /** The group of the databases. @default the organisation's only one */
  readonly group?: string;
  /** Where the group is, such as `aws-eu-west-1`: it is made there where it is missing. @default it is there already */
  readonly location?: string;
  /** Such as `256mb`. @default the plan's */
  readonly sizeLimit?: string;
  /** A database that new ones begin as a copy of, or the address of a dump. */
  readonly seed?:
    | { readonly type: "database"; readonly name: string; readonly timestamp?: string | Date }
    | { readonly type: "dump"; readonly url: string };
  /** The database's name at Turso. @default the tenant's id */
  readonly databaseName?: (tenant: string) => string;
  /** The API's address. @default Turso's */
  readonly baseUrl?: string;
}

/** The part of the library that is used. */
interface TursoApi {
  readonly databases: {
    create(name: string, options: Record<string, unknown>): Promise<unknown>;
    get(name: string): Promise<unknown>;
    delete(name: string): Promise<unknown>;
  };
  readonly groups: {
    get(name: string): Promise<unknown>;
    create(name: string, location: string): Promise<unknown>;
  };
}

/**
 * Databases at Turso, made and removed with their tenants.
 *
 * @example
 * const { TURSO_TOKEN: token = "" } = process.env;
 * const provisioner = tursoProvisioner({ org: "acme", token, group: "default", sizeLimit: "1gb" });
 */
export function tursoProvisioner(options: TursoProvisionerOptions): RemoteProvisioner {
  const {
    org,
    token,
    group,
    location,
    sizeLimit,
    seed,
    databaseName = (tenant) => tenant,
    baseUrl,
  } = options;
  const calls = new RemoteCalls();
  let api: Promise<TursoApi> | undefined;
  const loaded = (): Promise<TursoApi> =>
    (api ??= loadTurso().then((createClient) => createClient({ org, token, ...(baseUrl && { baseUrl }) })));

  /** What is asked for twice is made once: creating and deleting may both be repeated. */
  const ask = async <T>(tenant: string, fn: (turso: TursoApi) => Promise<T>): Promise<T> => {
    const turso = await loaded();
    try {
      return await calls.run(false, () =>
        inTime(fn(turso)).catch((error: unknown) => {
          throw faultOfTurso(error);
        }),
      );
    } catch (error) {
      throw error instanceof RemoteFault ? faultError(error, tenant, false) : error;
    }
  };

  let groupReady: Promise<void> | undefined;
  const readyGroup = async (): Promise<void> => {
    if (group === undefined || location === undefined) return;
    groupReady ??= ask(group, async ({ groups }) => {
      if (statusOf(await groups.get(group).catch(asValue)) !== 404) return;
      const made = await groups.create(group, location).catch(asValue);
      if (made instanceof Error && statusOf(made) !== 409) throw made;
    });
    groupReady.catch(() => (groupReady = undefined));
    await groupReady;
  };

  return {
    async create(tenant) {
      await readyGroup();
      return ask(tenant, async ({ databases }) => {
        const made = await databases
          .create(databaseName(tenant), {
            ...(group && { group }),
            ...(sizeLimit && { size_limit: sizeLimit }),
            ...(seed && { seed }),
          })
          .catch(asValue);
        if (!(made instanceof Error)) return "created";
        if (statusOf(made) === 409) return "there";
        throw made;
      });
    },
    exists: (tenant) =>
      ask(tenant, async ({ databases }) => {
        const found = await databases.get(databaseName(tenant)).catch(asValue);
        if (!(found instanceof Error)) return true;
        if (statusOf(found) === 404) return false;
        throw found;
      }),
    remove: (tenant) =>
      ask(tenant, async ({ databases }) => {
        const gone = await databases.delete(databaseName(tenant)).catch(asValue);
        if (gone instanceof Error && statusOf(gone) !== 404) throw gone;
      }),
  };
}

async function loadTurso(): Promise<(config: Record<string, unknown>) => TursoApi> {
  try {
    const { createClient } = await import("@tursodatabase/api");
    return createClient as unknown as (config: Record<string, unknown>) => TursoApi;
  } catch (cause) {
    throw new TenantryError(
      "UNSUPPORTED",
      "Making databases at Turso needs the package @tursodatabase/api.",
      {
        hint: "npm install @tursodatabase/api",
        cause,
      },
    );
  }
}

function asValue(error: unknown): unknown {
  return error;
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("status" in error && typeof error.status === "number") return error.status;
  // How the library tells of an answer that is no JSON.
  const [, status] = /Status (\d{3})$/.exec(error.message) ?? [];
  return status === undefined ? undefined : Number(status);
}

async function inTime<T>(call: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new RemoteFault("unreachable", `did not answer within ${API_TIMEOUT_MS} ms`)),
    API_TIMEOUT_MS,
  );
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
    call.catch(() => undefined);
  }
}

function faultOfTurso(error: unknown): unknown {
  if (error instanceof RemoteFault) return error;
  const status = statusOf(error);
  if (status === undefined) return faultOfFetch(error, 0);
  const cause = error;
  if (status === 401 || status === 403)
    return new RemoteFault("refused", `answered ${status} to the platform token`, { cause });
  if (status === 404) return new RemoteFault("missing", "has no such organisation or group", { cause });
  if (status === 429) return new RemoteFault("throttled", "answered 429: too many requests", { cause });
  if (status >= 500) return new RemoteFault("unreachable", `answered ${status}`, { cause });
  // Such as a name that Turso does not take: asking again does not help.
  return new TenantryError("INVALID_ARGUMENT", `Turso refuses: ${(error as Error).message}`, { cause });
}
