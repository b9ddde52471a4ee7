// Owns the types of what wrangler.toml binds for the tests in workerd.
/// <reference types="@cloudflare/vitest-plugin/types" />
import type { D1Database } from "@cloudflare/workers-types";

declare global {
  namespace Cloudflare {
    interface Env {
      readonly DB: D1Database;
    }
  }
}
