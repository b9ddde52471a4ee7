// Owns the Worker of this repository as it is deployed, worker/main.ts, in the runtime that wrangler has for one's own
// machine: a process that ends with the test.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { saidUrl } from "./said-url.ts";
import { tempFolder } from "./temp-folder.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The command that runs a Worker here on any free port, and keeps its data in `folder`. */
export function wranglerDev(config: string, folder: string): string[] {
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const where = ["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0", "--persist-to", folder];
  return [wrangler, "dev", "--config", config, ...where];
}

/** The URL of a Worker whose first key is `key`. */
export async function localWorker(key: string): Promise<string> {
  const args = [...wranglerDev("wrangler.toml", await tempFolder()), "--var", `TENANTRY_ADMIN_KEY:${key}`];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" };
  return saidUrl(spawn(process.execPath, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] }));
}
