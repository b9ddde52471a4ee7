// Owns the proof that one product runs on Node and on Workers from the same source: the same requests, the same
// answers, in a Node process and in workerd.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { wranglerDev } from "./support/local-worker.ts";
import { saidUrl } from "./support/said-url.ts";

const ROOT = join(import.meta.dirname, "..");
const EXAMPLE = join(ROOT, "examples/edge-app");

/** Starts a command that says its URL, and ends it with the test. */
async function started(args: readonly string[]): Promise<string> {
  return saidUrl(
    spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
}

const folder = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-edge-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

const RUNTIMES: readonly [name: string, start: () => Promise<string>][] = [
  ["Node", async () => started([join(EXAMPLE, "node.ts"), await folder(), "0"])],
  ["Workers", async () => started(wranglerDev(join(EXAMPLE, "wrangler.toml"), await folder()))],
];

describe.each(RUNTIMES)("the product on %s", (_, start) => {
  test("a company signs up, and has its tasks to itself", async () => {
    const url = await start();
    const send = (path: string, fields: Record<string, string>): Promise<Response> =>
      fetch(url + path, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
    expect(await (await fetch(url)).text()).toContain("Sign up");

    const signedUp = await send("/companies", { name: "acme" });
    expect([signedUp.status, signedUp.headers.get("location")]).toEqual([303, "/t/acme/"]);
    expect((await send("/companies", { name: "globex" })).status).toBe(303);
    const again = await send("/companies", { name: "acme" });
    expect([again.status, await again.json()]).toMatchObject([409, { code: "TENANT_EXISTS" }]);
    const bad = await send("/companies", { name: "no such name!" });
    expect([bad.status, await bad.json()]).toMatchObject([400, { code: "INVALID_TENANT_ID" }]);

    for (const title of ["write it", "ship it", "<b>tell</b>"]) await send("/t/acme/tasks", { title });
    expect((await send("/t/acme/tasks/1/done", {})).headers.get("location")).toBe("../../");
    expect(await (await fetch(`${url}/t/acme/tasks`)).json()).toEqual([
      { id: 1, title: "write it", done: true },
      { id: 2, title: "ship it", done: false },
      { id: 3, title: "<b>tell</b>", done: false },
    ]);
    const page = await (await fetch(`${url}/t/acme/`)).text();
    expect(page).toContain("<s>write it</s>");
    expect(page).toContain("&lt;b&gt;tell&lt;/b&gt;");

    expect(await (await fetch(`${url}/t/globex/tasks`)).json()).toEqual([]);
    const nobody = await fetch(`${url}/t/initech/tasks`);
    expect([nobody.status, await nobody.json()]).toMatchObject([404, { code: "TENANT_NOT_FOUND" }]);
  });
});
