// Owns which tenant a request names: by its path, a header, its host, or the caller's credentials.
// Opens nothing, and does not know whether that tenant exists or the caller may see it.
import type { Context } from "hono";
import { onlyTenant, type Caller } from "../auth/caller.ts";
import { isHostLabel, isTenantId, parseTenantId, RESERVED_TENANT_IDS, type TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { hostOf, isLoopbackName } from "./loopback.ts";

/** What comes before the tenant in a path. */
export const DEFAULT_PATH_PREFIX = "/t/";

/** Reads a request's header; names are in lower case. */
export type HeaderGetter = (name: string) => string | null | undefined;

export interface ResolveTenantOptions {
  /** What comes before the tenant in a path; it begins and ends with a slash. @default "/t/" */
  readonly pathPrefix?: string;
  /** Domains whose sub-domains are tenants: `example.com` for `acme.example.com`. @default none */
  readonly baseDomains?: readonly string[];
  /** Hosts that are never a tenant, such as `www.example.com` and the server's own name. @default none */
  readonly exceptHosts?: readonly string[];
  /**
   * The tenant for which a host stands that is no sub-domain of `baseDomains`, in lower case and without port.
   * It is asked on every request to such a host, so it should remember. @default none
   */
  readonly lookupAlias?: (host: string) => TenantId | undefined | Promise<TenantId | undefined>;
}

/** Finds the tenant of requests. */
export interface TenantResolver {
  /**
   * The tenant that a request names; `undefined` when it names none. A promise only when an alias is looked up
   * asynchronously.
   *
   * Only when neither path nor header nor host names a tenant do the caller's credentials, if they are for a
   * single one: naming another than theirs is for `authorize` to refuse.
   *
   * @param url As the client sent it, absolute or from the path on: a percent-encoded name is no name.
   * @throws {TenantryError} `INVALID_TENANT_ID`, and `TENANT_MISMATCH` when two ways name different tenants.
   */
  resolve(
    url: string,
    header: HeaderGetter,
    caller?: Caller,
  ): TenantId | undefined | Promise<TenantId | undefined>;
}

/** @throws {TenantryError} `INVALID_OPTION`. */
export function createTenantResolver(options: ResolveTenantOptions = {}): TenantResolver {
  const { pathPrefix = DEFAULT_PATH_PREFIX, lookupAlias } = options;
  if (!/^\/(?:[\w.~-]+\/)+$/.test(pathPrefix)) {
    throw new TenantryError("INVALID_OPTION", `pathPrefix cannot be ${JSON.stringify(pathPrefix)}.`, {
      hint: 'Begin and end it with a slash, like "/t/".',
    });
  }
  const domains = (options.baseDomains ?? []).map((domain) => `.${parseDomain("baseDomains", domain)}`);
  const except = new Set((options.exceptHosts ?? []).map((host) => parseDomain("exceptHosts", host)));
  for (const domain of domains) except.add(domain.slice(1));
  const usesHost = domains.length > 0 || lookupAlias !== undefined;

  function byHost(header: string): TenantId | undefined | Promise<TenantId | undefined> {
    const host = hostOf(header);
    if (host === undefined || except.has(host)) return undefined;
    for (const domain of domains) {
      if (!host.endsWith(domain)) continue;
      const label = host.slice(0, -domain.length);
      if (!label.includes(".")) return parseLabel(label);
    }
    return lookupAlias === undefined || isLoopbackName(host) ? undefined : lookupAlias(host);
  }

  return {
    resolve(url, header, caller) {
      const named = agree(byPath(url, pathPrefix), "path", byHeaders(header), "header");
      const hostHeader = usesHost ? header("host") : undefined;
      const hosted = hostHeader ? byHost(hostHeader) : undefined;
      if (hosted instanceof Promise) {
        return hosted.then((host) => agree(named, "path or a header", host, "host") ?? byCaller(caller));
      }
      return agree(named, "path or a header", hosted, "host") ?? byCaller(caller);
    },
  };
}

/** The tenant that the request of a Hono context names. */
export function resolveTenant(
  resolver: TenantResolver,
  c: Context,
  caller?: Caller,
): TenantId | undefined | Promise<TenantId | undefined> {
  return resolver.resolve(c.req.url, headersOf(c), caller);
}

/** The headers of a request, found once: `c.req.header()` looks for them again with each name. */
export function headersOf(c: Context): (name: string) => string | undefined {
  const { headers } = c.req.raw;
  return (name) => headers.get(name) ?? undefined;
}

function byPath(url: string, prefix: string): TenantId | undefined {
  const start = url.charAt(0) === "/" ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return undefined;
  if (!url.startsWith(prefix, start)) {
    refuseEncodedPrefix(url, start, prefix);
    return undefined;
  }
  const from = start + prefix.length;
  let end = from;
  while (end < url.length && !isDelimiter(url.charCodeAt(end))) end++;
  const name = url.slice(from, end);
  if (RESERVED_TENANT_IDS.includes(name)) {
    throw new TenantryError("INVALID_TENANT_ID", `"${name}" is a version of the protocol, not a tenant.`, {
      hint: `End the database URL with a slash, as in ${prefix}acme/: clients drop what follows the last one.`,
    });
  }
  return parseTenantId(name);
}

/** A router decodes paths, so `/%74/acme` may reach the routes of `/t/acme`: it must not get there unseen. */
function refuseEncodedPrefix(url: string, start: number, prefix: string): void {
  const encoded = url.indexOf("%", start);
  if (encoded < 0) return;
  let slashes = 0;
  for (let i = start; i < encoded; i++) {
    const code = url.charCodeAt(i);
    if (code === 0x3f || code === 0x23) return;
    if (code === 0x2f) slashes++;
  }
  if (slashes >= prefix.split("/").length - 1) return;
  throw new TenantryError("INVALID_TENANT_ID", "The beginning of the path is percent-encoded.", {
    hint: `Write it as it is: ${prefix}acme/.`,
  });
}

function byHeaders(header: HeaderGetter): TenantId | undefined {
  const own = header("x-tenant-id");
  const sqld = header("x-namespace");
  return agree(
    own === undefined || own === null ? undefined : parseTenantId(own),
    "X-Tenant-Id header",
    sqld === undefined || sqld === null ? undefined : parseTenantId(sqld),
    "x-namespace header",
  );
}

function byCaller(caller: Caller | undefined): TenantId | undefined {
  const tenant = caller && onlyTenant(caller);
  return isTenantId(tenant) ? tenant : undefined;
}

function parseLabel(label: string): TenantId {
  const tenant = parseTenantId(label);
  if (isHostLabel(tenant)) return tenant;
  throw new TenantryError("INVALID_TENANT_ID", `"${tenant}" cannot be part of a host name.`, {
    hint: 'Name a tenant that has "_" in its id by path or header.',
  });
}

function agree(
  one: TenantId | undefined,
  way: string,
  other: TenantId | undefined,
  otherWay: string,
): TenantId | undefined {
  if (one === undefined) return other;
  if (other === undefined || one === other) return one;
  throw new TenantryError("TENANT_MISMATCH", `The ${way} and the ${otherWay} name different tenants.`, {
    hint: "Name the tenant in one way.",
  });
}

/** Whether `code` is one of `/`, `?` and `#`. */
function isDelimiter(code: number): boolean {
  return code === 0x2f || code === 0x3f || code === 0x23;
}

function parseDomain(option: string, domain: string): string {
  const name = domain.toLowerCase();
  if (/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(name)) return name;
  throw new TenantryError("INVALID_OPTION", `${option} cannot hold ${JSON.stringify(domain)}.`, {
    hint: "Give bare host names, without scheme, port, leading dot or path.",
  });
}
