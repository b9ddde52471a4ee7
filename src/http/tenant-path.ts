// Owns where a tenant's root is in a request's URL, and what lies below it.
// Does not find the tenant: resolve-tenant.ts does.

/** A URL, at its tenant's root. */
export interface TenantPath {
  /** The root: `/t/acme`, or "" where a header or the host names the tenant. */
  readonly base: string;
  /** Below it, with the query: `/rest/customers?limit=1`. */
  readonly path: string;
}

/** Splits the URL of a request to a tenant. */
export function tenantPath(url: string, tenant: string): TenantPath {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const base = `/t/${tenant}`;
  return url.startsWith(base, start)
    ? { base, path: url.slice(start + base.length) }
    : { base: "", path: url.slice(start) };
}
