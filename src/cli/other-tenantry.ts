// Owns asking another Tenantry over the network, a Worker or a server, with an admin key of its own.
// Does not know what is asked; the key comes from the environment alone, and is in no URL.
import { TenantryError, type ErrorCode } from "../tenantry-error.ts";
import { parseTenantId, type TenantId } from "../tenant-id.ts";
import { WrongUse } from "./report-error.ts";

/** An admin key of the other Tenantry, or a token that may do the same. */
export const OTHER_KEY = "TENANTRY_OTHER_KEY";

/** Milliseconds that one question may take: some make a tenant, or take one back in time. */
const TIMEOUT_MS = 60_000;

/** A tenant of another Tenantry. */
export interface OtherTenant {
  readonly tenant: TenantId;
  readonly key: string;
  /** Where its whole database is, by Hrana. */
  readonly databaseUrl: string;
  /** @throws {TenantryError} what it answers; `DATABASE_UNREACHABLE` where it does not */
  ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T>;
}

/**
 * The tenant that `https://tenants.example.com/acme` names; without a path it is the one of `fallback`.
 * @throws {WrongUse} for what is no such URL, and without a key
 */
export function otherTenant(text: string, fallback?: string): OtherTenant {
  const { base, tenant } = placeOf(text, fallback);
  const key = process.env[OTHER_KEY] ?? "";
  if (key === "")
    throw new WrongUse("The other Tenantry needs a key.", `Set ${OTHER_KEY} to an admin key of it.`);
  const root = `${base}/admin/tenants`;
  return {
    tenant,
    key,
    databaseUrl: `${root}/${tenant}/database/`,
    async ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
      const answer = await fetch(`${root}${path}`, {
        method,
        // Nobody else is to be sent the key.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      }).catch((cause: unknown) => {
        throw unreachable(base, "it does not answer", cause);
      });
      const value = (await answer.json().catch((cause: unknown) => {
        throw unreachable(base, `it answered ${answer.status}, and no JSON`, cause);
      })) as T & { code?: ErrorCode; message?: string; hint?: string };
      if (answer.ok) return value;
      const { code, message = "", hint } = value;
      if (code === undefined) throw unreachable(base, `it answered ${answer.status}`);
      throw new TenantryError(code, message, hint === undefined ? {} : { hint });
    },
  };
}

function placeOf(
  text: string,
  fallback: string | undefined,
): { readonly base: string; readonly tenant: TenantId } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const loopback = url !== undefined && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url?.protocol !== "https:" && !(loopback && url.protocol === "http:")) {
    throw new WrongUse(
      `"${text}" is not where a Tenantry is.`,
      "Say do:https://tenants.example.com/acme; http: is for this machine only.",
    );
  }
  const [tenant = fallback ?? "", ...rest] = url.pathname.split("/").filter((part) => part !== "");
  if (rest.length > 0 || url.username !== "" || url.search !== "") {
    throw new WrongUse(
      `"${url.host}${url.pathname}" names no tenant.`,
      "Say do:https://tenants.example.com/acme.",
    );
  }
  return { base: url.origin, tenant: parseTenantId(tenant) };
}

function unreachable(base: string, how: string, cause?: unknown): TenantryError {
  return new TenantryError("DATABASE_UNREACHABLE", `The Tenantry at ${base} cannot be used: ${how}.`, {
    hint: "See whether it runs, and try again.",
    cause,
  });
}
