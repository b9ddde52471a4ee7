// Owns the names under which `/metrics` counts requests: few, whatever the callers ask for.

/** What follows a tenant, and is counted under its own name; what follows that is not. */
const TENANT_ROUTES: ReadonlySet<string> = new Set([
  "rest",
  "query",
  "batch",
  "schema",
  "dump",
  "openapi.json",
  "v2",
  "v3",
]);
const PLAIN_ROUTES: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics", "/openapi.json"]);

/** `/t/acme/rest/customers` is `/t/:tenant/rest`; what nothing answers is `other`. */
export function routeLabel(path: string): string {
  if (path.startsWith("/t/")) {
    const rest = path.indexOf("/", 3) + 1;
    const route = rest > 0 ? firstSegment(path, rest) : "";
    return TENANT_ROUTES.has(route) ? `/t/:tenant/${route}` : "/t/:tenant";
  }
  if (PLAIN_ROUTES.has(path)) return path;
  const route = firstSegment(path, 1);
  if (route === "admin") return `/admin/${firstSegment(path, 7) === "tenants" ? "tenants" : "other"}`;
  return TENANT_ROUTES.has(route) ? `/${route}` : "other";
}

function firstSegment(path: string, from: number): string {
  const end = path.indexOf("/", from);
  return end < 0 ? path.slice(from) : path.slice(from, end);
}
