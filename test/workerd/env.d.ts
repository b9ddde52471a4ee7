// Owns the types of what wrangler.toml binds for the tests in workerd.
/// <reference types="@cloudflare/vitest-plugin/types" />
import type { D1Database } from "@cloudflare/workers-types";
import type { ObjectNamespace } from "../../src/driver-durable-object.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      readonly DB: D1Database;
      readonly CATALOG: D1Database;
      readonly TENANT_ACME: D1Database;
      readonly TENANTS: ObjectNamespace;
      readonly PAST: ObjectNamespace;
      readonly TENANTRY_ADMIN_KEY: string;
    }
  }
}
