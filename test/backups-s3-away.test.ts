// Holds a real server to going on while its replica in S3 is away, slow, or refuses, and to having brought all of it
// there afterwards: another machine has every acknowledged row. TENANTRY_LONG_TESTS=1 keeps S3 away for a minute.
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import type { BackupsReport } from "../src/backups/backups-status.ts";
import { askReport } from "../src/backups/replication-gate.ts";
import { until } from "./backups-litestream.ts";
import { cliFolder } from "./cli-process.ts";
import { type Fault, faultyProxy } from "./support/faulty-proxy.ts";
import { litestream, NO_LITESTREAM } from "./support/litestream.ts";
import { s3Server } from "./support/s3-server.ts";
import { saidUrl } from "./support/said-url.ts";

const TENANTS = ["acme", "globex", "initech"];
/** Milliseconds that S3 stays away, if it takes longer than until that is said. */
const AWAY_MS = process.env["TENANTRY_LONG_TESTS"] ? 60_000 : 0;
const FAULTS: readonly [string, Fault, number][] = [
  ["away", "away", AWAY_MS],
  ["slow", { delayMs: 700 }, 0],
  ["answering 500", { status: 500 }, 0],
  ["answering 403", { status: 403 }, 0],
];
/** Many processes, and waiting for what is tried again later and later. */
const SLOW = { timeout: 300_000 + AWAY_MS };

test.skipIf(NO_LITESTREAM)(
  "S3 is away and back, slow, and refuses, while tenants are written to",
  SLOW,
  async () => {
    const proxy = await faultyProxy(await s3Server());
    await using folder = await cliFolder({
      LITESTREAM_BIN: litestream().path,
      AWS_ACCESS_KEY_ID: process.env["AWS_ACCESS_KEY_ID"] ?? "",
      AWS_SECRET_ACCESS_KEY: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
      TENANTRY_REPLICA: proxy.url,
    });
    const child = folder.start(["serve", "--port", "0", "--executors", "1"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let url = "";
    for await (const line of createInterface(child.stdout!)) {
      url = /at (http\S+)$/.exec(line)?.[1] ?? "";
      if (url !== "") break;
    }
    const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return JSON.parse(text);
    };
    const alarms = async (): Promise<readonly string[]> =>
      ((await ask("GET", "/readyz")) as { backups: { alarms: string[] } }).backups.alarms;
    const canary = async (): Promise<string | null> => {
      const report = (await askReport(join(folder.dir, "data"))) as BackupsReport;
      return report.status.canary.failure;
    };
    const written = new Map<string, string[]>(TENANTS.map((name) => [name, []]));
    const write = async (tenant: string, name: string): Promise<void> => {
      const sql = "INSERT INTO customers (name, email, country) VALUES (?, ?, 'DE')";
      await ask("POST", `/t/${tenant}/query`, { sql, params: [name, `${name}@example.com`] });
      written.get(tenant)?.push(name);
    };

    for (const id of TENANTS) await ask("POST", "/admin/tenants", { id });
    for (const [what, fault, ms] of FAULTS) {
      proxy.fault = fault;
      const began = Date.now();
      let said = what === "slow";
      for (let n = 0; !said || n < 20 || Date.now() - began < ms; n++) {
        await Promise.all(TENANTS.map((tenant) => write(tenant, `${what.replace(" ", "-")}-${n}`)));
        said ||= ms === 0 ? (await canary()) !== null : (await alarms()).includes("canary");
        if (Date.now() - began > 60_000 + ms) throw new Error(`Nobody says that S3 is ${what}.`);
      }
      proxy.fault = "none";
      await until(
        `nothing is wrong after S3 was ${what}`,
        async () => (await alarms()).length === 0 && (await canary()) === null,
        60_000,
      );
    }
    // Acknowledged with this durability, the last one says that all before it is there.
    for (const tenant of TENANTS) {
      await ask("PATCH", `/admin/tenants/${tenant}`, { durability: "replicated" });
      let n = 0;
      // Litestream tries again later and later: the first may be answered before it does. It is committed all the same.
      await until(
        `a write of ${tenant} is in the replica`,
        async () => {
          const name = `last-${n++}`;
          try {
            await write(tenant, name);
            return true;
          } catch (error) {
            if (!String(error).includes('"NOT_REPLICATED"')) throw error;
            written.get(tenant)?.push(name);
            return false;
          }
        },
        120_000,
      );
    }
    child.kill("SIGKILL");
    await once(child, "exit");

    const elsewhere = { env: { TENANTRY_DATA: join(folder.dir, "elsewhere") } };
    const recovered = await folder.run(["recover", "--all", "--json"], elsewhere);
    expect(recovered.code, recovered.stderr).toBe(0);
    for (const tenant of TENANTS) {
      const sql = "SELECT name FROM customers ORDER BY id";
      const { stdout } = await folder.run(["query", tenant, sql, "--json"], elsewhere);
      const { results } = JSON.parse(stdout) as { results: { name: string }[] };
      expect(results.map(({ name }) => name)).toEqual(written.get(tenant));
    }
  },
);

test.skipIf(NO_LITESTREAM)(
  "a server that begins while S3 is away serves, says that backups are off, and replicates when S3 is back",
  SLOW,
  async () => {
    const proxy = await faultyProxy(await s3Server());
    proxy.fault = "away";
    await using folder = await cliFolder({
      LITESTREAM_BIN: litestream().path,
      AWS_ACCESS_KEY_ID: process.env["AWS_ACCESS_KEY_ID"] ?? "",
      AWS_SECRET_ACCESS_KEY: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
      TENANTRY_REPLICA: proxy.url,
    });
    const url = await saidUrl(folder.start(["serve", "--port", "0", "--executors", "1"]));
    const health = async (): Promise<{ state: string; reason?: string }> => {
      const answer = (await (await fetch(`${url}/readyz`)).json()) as { backups: { state: string } };
      return answer.backups;
    };
    expect(await health()).toEqual({
      state: "off",
      reason: expect.stringMatching(/^The replica s3:.* cannot be reached: /) as string,
    });
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ id: "acme" });
    expect((await fetch(`${url}/admin/tenants`, { method: "POST", headers, body })).status).toBe(201);
    proxy.fault = "none";
    await until("backups are on", async () => (await health()).state === "on", 60_000);
    await until(
      "what was made meanwhile is in the replica",
      async () => (await folder.run(["backups", "verify", "acme"])).stdout.includes("1 tenant verified"),
      60_000,
    );
  },
);
