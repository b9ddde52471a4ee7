// Owns the proof that examples/hono-app works: over a real socket, from its first line to its end on SIGTERM.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

async function start(): Promise<{ url: string; stop: () => Promise<unknown[]> }> {
  const data = await mkdtemp(join(tmpdir(), "tenantry-"));
  onTestFinished(() => rm(data, { recursive: true }));
  const main = join(import.meta.dirname, "../examples/hono-app/main.ts");
  const child = spawn(process.execPath, [main, data, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const closed = once(child, "close");
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const stop = (): Promise<unknown[]> => {
    child.kill("SIGTERM");
    return closed;
  };
  return { url, stop };
}

test("a company signs up, its user works on its data, and nobody else does", async () => {
  const { url, stop } = await start();
  const ask = async (
    path: string,
    token?: string,
    body?: object,
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${url}${path}`, {
      headers: { connection: "close", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };

  expect(await ask("/companies/acme", undefined, {})).toEqual({ status: 201, body: { company: "acme" } });
  expect(await ask("/companies/acme", undefined, {})).toMatchObject({ status: 409 });
  expect(await ask("/companies/globex", undefined, {})).toMatchObject({ status: 201 });

  const ito = { name: "Ito", email: "ito@example.com", country: "JP" };
  expect(await ask("/t/acme/customers", "token-of-ann", ito)).toEqual({
    status: 201,
    body: { id: 2, name: "Ito" },
  });
  expect(await ask("/t/acme/customers", "token-of-ann", {})).toMatchObject({
    status: 409,
    body: { code: "CONSTRAINT" },
  });
  expect(await ask("/t/acme/customers", "token-of-ann")).toMatchObject({
    status: 200,
    body: [{ name: "Example" }, { name: "Ito" }],
  });
  expect(await ask("/t/globex/customers", "token-of-bob")).toMatchObject({ body: [{ name: "Example" }] });

  const stranger = await ask("/t/acme/customers", "token-of-bob");
  expect(stranger).toMatchObject({ status: 404, body: { code: "TENANT_NOT_FOUND" } });
  expect(await ask("/t/acme/customers")).toEqual(stranger);
  const nowhere = await ask("/t/umbrella/customers", "token-of-bob");
  expect(JSON.stringify(nowhere).replace("umbrella", "acme")).toBe(JSON.stringify(stranger));
  expect(await ask("/t/%61cme/customers", "token-of-ann")).toMatchObject({ status: 400 });

  expect(await stop()).toEqual([0, null]);
});
