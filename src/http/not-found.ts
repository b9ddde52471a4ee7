// Owns the answer to what no route answers: 404, or 405 where another method would have been right.
// Comes after the rooms that ask who the caller is: a stranger is not told which routes there are.
import type { Context, Hono } from "hono";
import { TenantryError } from "../tenantry-error.ts";

const METHODS: readonly string[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** The error for a request that nothing answers; sets `Allow` where it is 405. */
export function unanswered(hono: Hono, c: Context): TenantryError {
  const { method, path } = c.req;
  const allowed = METHODS.filter((other) =>
    // Middleware answers nothing by itself, and is registered for all methods.
    hono.router.match(other, path)[0].some(([[, route]]) => route.method === other),
  ).flatMap((other) => (other === "GET" ? ["GET", "HEAD"] : [other]));
  if (allowed.length === 0) {
    return new TenantryError("NOT_FOUND", `Nothing answers ${method} ${path}.`, {
      hint: "GET /openapi.json lists what does.",
    });
  }
  c.header("allow", allowed.join(", "));
  return new TenantryError("METHOD_NOT_ALLOWED", `${path} does not take ${method}.`, {
    hint: `It takes ${allowed.join(", ")}.`,
  });
}
