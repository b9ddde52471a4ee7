// Owns what an open server on loopback refuses of browsers: other sites' pages, rebound names, forms.
// With keys it is not needed: a page of another site does not have them.
import { TenantryError } from "../tenantry-error.ts";
import { isLoopbackHost } from "./loopback.ts";

/**
 * What libSQL's native clients (Rust, and those built on it) send with every request, whose bodies have no content
 * type. A browser asks before it sends this header to another site, so it stands for a type that no form can have.
 */
export const LIBSQL_CLIENT_HEADER = "x-libsql-client-version";

/** Content types of bodies besides JSON. A browser asks before it sends any of them to another site. */
export const DEFAULT_BODY_TYPES: readonly string[] = [
  "application/octet-stream",
  "application/sql",
  "application/vnd.sqlite3",
  "application/x-sqlite3",
  "application/x-protobuf",
];

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;
const OWN_SITE: ReadonlySet<string> = new Set(["same-origin", "same-site", "none"]);

/**
 * Passes a request that came from this machine and not from another site's page, or throws.
 *
 * The `Host` must be a loopback name, or a page could reach this server by pointing its own name here;
 * `Origin` and `Sec-Fetch-Site`, where a browser sends them, must not be another site's; a body must be of a
 * type that no form can have, or come with {@link LIBSQL_CLIENT_HEADER}.
 *
 * @param header Reads a request's header; names are in lower case.
 * @param bodyTypes Content types to be taken besides JSON.
 * @throws {TenantryError} `CROSS_SITE_REFUSED`, `UNSUPPORTED_MEDIA_TYPE`.
 */
export function guardBrowser(
  header: (name: string) => string | null | undefined,
  bodyTypes: readonly string[] = DEFAULT_BODY_TYPES,
): void {
  const host = header("host") ?? "";
  if (!isLoopbackHost(host)) {
    throw refused(`The host ${JSON.stringify(host.slice(0, 80))} is not this machine's.`);
  }
  const origin = header("origin") ?? undefined;
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    throw refused(`The page ${JSON.stringify(origin.slice(0, 80))} is of another site.`);
  }
  const site = header("sec-fetch-site") ?? undefined;
  if (site !== undefined && !OWN_SITE.has(site)) throw refused("The request comes from another site's page.");
  guardBody(header, bodyTypes);
}

/** A body without a type is refused too: a page of another site can send one without being asked. */
function guardBody(header: (name: string) => string | null | undefined, bodyTypes: readonly string[]): void {
  const type = header("content-type") ?? undefined;
  if (type === undefined) {
    const length = header("content-length") ?? undefined;
    const chunked = header("transfer-encoding") ?? undefined;
    if (chunked === undefined && (length === undefined || length === "0")) return;
    if ((header(LIBSQL_CLIENT_HEADER) ?? "") !== "") return;
  } else {
    const [essence = ""] = type.split(";", 1);
    const bare = essence.trim().toLowerCase();
    if (JSON_TYPE.test(bare) || bodyTypes.includes(bare)) return;
  }
  const shown =
    type === undefined ? "without a content type" : `of type ${JSON.stringify(type.slice(0, 80))}`;
  throw new TenantryError("UNSUPPORTED_MEDIA_TYPE", `A body ${shown} is refused.`, {
    hint: 'Send JSON with "Content-Type: application/json".',
  });
}

function isLoopbackOrigin(origin: string): boolean {
  const [, host] = /^https?:\/\/(.+)$/.exec(origin) ?? [];
  return host !== undefined && isLoopbackHost(host);
}

function refused(message: string): TenantryError {
  return new TenantryError("CROSS_SITE_REFUSED", message, {
    hint: "A server without keys answers this machine only: use http://127.0.0.1 or localhost, or make a key.",
  });
}
