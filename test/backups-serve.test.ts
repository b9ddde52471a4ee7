// Holds a real server with a replica to its word: restored while it is written to, killed, and recovered elsewhere
// with the same rows in every table.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { type CliFolder, cliFolder } from "./cli-process.ts";
import { litestream, NO_LITESTREAM } from "./support/litestream.ts";

/** Many commands, each a process, on a machine that may be busy. */
const SLOW = { timeout: 240_000 };

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
}

async function serve(folder: CliFolder, ...args: string[]): Promise<Server> {
  const child = folder.start(["serve", "--port", "0", "--executors", "2", ...args]);
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  for await (const line of createInterface(child.stdout!)) {
    const url = /at (http\S+)$/.exec(line)?.[1];
    if (url !== undefined) return { url, child };
  }
  throw new Error("The server ended before it served.");
}

async function query(url: string, tenant: string, sql: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${url}/t/${tenant}/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql }),
  });
  const body = (await answer.json()) as { results: Record<string, unknown>[]; code?: string };
  if (!answer.ok) throw Object.assign(new Error(JSON.stringify(body)), { code: body.code });
  return body.results;
}

const insert = (name: string): string =>
  `INSERT INTO customers (name, email, country) VALUES ('${name}', '${name}@example.com', 'DE')`;

test.skipIf(NO_LITESTREAM)(
  "a tenant is restored through the server while it is written to, and what comes after is replicated",
  SLOW,
  async () => {
    await using folder = await cliFolder({ LITESTREAM_BIN: litestream().path });
    const replica = `file://${join(folder.dir, "replica")}`;
    const { url } = await serve(folder, "--replica", replica);
    const run = async (...args: string[]) => {
      const ran = await folder.run([...args, "--replica", replica, "--json"]);
      expect(ran.code, ran.stderr).toBe(0);
      return JSON.parse(ran.stdout) as Record<string, unknown>;
    };
    await run("tenants", "create", "acme");
    await query(url, "acme", insert("kept"));
    await run("snapshot", "acme");

    let stop = false;
    const refused = new Set<string>();
    const write = async (who: number): Promise<void> => {
      for (let n = 0; ; n++) {
        if (stop) return;
        await query(url, "acme", insert(`w${who}n${n}`)).catch((error: { code: string }) =>
          refused.add(error.code),
        );
      }
    };
    const writers = [0, 1].map(write);
    const restored = await run("restore", "acme", "--from-snapshot");
    expect(restored).toMatchObject({ tenant: { backupEpoch: 2 }, restored: { kind: "snapshot" } });
    stop = true;
    await Promise.all(writers);
    expect([...refused].filter((code) => code !== "TENANT_BUSY")).toEqual([]);
    const names = await query(url, "acme", "SELECT name FROM customers ORDER BY id");
    expect(names[0]).toEqual({ name: "kept" });

    // Everything of the new line is in the replica: a copy of it is the tenant.
    expect(await run("backups", "verify", "acme")).toMatchObject({ passed: 1, failed: 0 });
    await run("restore", "acme", "--at", "now", "--to", "twin");
    expect(await query(url, "twin", "SELECT name FROM customers ORDER BY id")).toEqual(names);
    expect(await run("restore", "acme", "--undo")).toMatchObject({ tenant: { backupEpoch: 3 } });
  },
);

test.skipIf(NO_LITESTREAM)(
  "a server that is killed is recovered elsewhere, table by table, and goes on there",
  SLOW,
  async () => {
    await using folder = await cliFolder({ LITESTREAM_BIN: litestream().path });
    const replica = `file://${join(folder.dir, "replica")}`;
    const { url, child } = await serve(folder, "--replica", replica, "--durability", "replicated");
    const tenants = ["acme", "globex", "initech"];
    for (const tenant of tenants) {
      await folder.run(["tenants", "create", tenant]);
      await query(url, tenant, insert(tenant));
    }
    const acknowledged: string[] = [];
    let killed = false;
    const writers = tenants.map(async (tenant) => {
      for (let n = 0; ; n++) {
        try {
          await query(url, tenant, insert(`${tenant}-${n}`));
          acknowledged.push(`${tenant}-${n}`);
        } catch (error) {
          if (killed) return;
          throw error;
        }
      }
    });
    while (acknowledged.length < 30) await new Promise<void>((resolve) => void setTimeout(resolve, 20));
    // A command line beside the server keeps to the server's rule, though nobody tells it of a replica.
    for (const command of [
      ["query", "acme", insert("acme-by-hand")],
      ["tenants", "create", "hooli"],
      ["query", "hooli", insert("hooli-by-hand")],
    ]) {
      const beside = await folder.run(command);
      expect(beside.code, beside.stderr).toBe(0);
    }
    acknowledged.push("acme-by-hand", "hooli-by-hand");
    tenants.push("hooli");
    killed = true;
    child.kill("SIGKILL");
    await Promise.all([once(child, "exit"), ...writers]);

    const elsewhere = { env: { TENANTRY_DATA: join(folder.dir, "elsewhere"), TENANTRY_REPLICA: replica } };
    const recovered = await folder.run(["recover", "--all", "--json"], elsewhere);
    expect(recovered.code, recovered.stderr).toBe(0);
    expect(JSON.parse(recovered.stdout)).toMatchObject({ fetched: tenants.length, failed: [] });
    // What was acknowledged with this durability is there; and all that is there is what the dead machine has, too.
    for (const tenant of tenants) {
      const sql = "SELECT name FROM customers ORDER BY id";
      const [there, here] = await Promise.all([
        folder.run(["query", tenant, sql, "--json"], elsewhere),
        folder.run(["query", tenant, sql, "--json"]),
      ]);
      const namesOf = (text: string): string[] =>
        (JSON.parse(text) as { results: { name: string }[] }).results.map(({ name }) => name);
      const present = namesOf(there.stdout);
      expect(present).toEqual(namesOf(here.stdout).slice(0, present.length));
      expect(present).toEqual(expect.arrayContaining(acknowledged.filter((name) => name.startsWith(tenant))));
    }
  },
);
