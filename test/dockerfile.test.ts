// Owns the proof that the Dockerfile's steps do what they say, as far as a machine without Docker can: each of them is
// executed in order, in a folder that stands for the image's, and what it starts is asked.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createApiKey } from "../src/auth/api-key.ts";

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** A stage's folder, where its commands run, and what they find in the environment. */
interface Stage {
  readonly root: string;
  cwd: string;
  env: Record<string, string>;
  /** What its commands find there, and the image does not. */
  args: Record<string, string>;
}

function instructions(text: string): Instruction[] {
  return text
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      return { name, rest };
    });
}

const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("!"))
  .map((line) => line.slice(1));

/** A copy of what is sent to the builder, or of another stage's. */
function copy(rest: string, stage: Stage, stages: ReadonlyMap<string, Stage>): void {
  const [, from, list = rest] = /^--from=(\S+)\s+(.*)$/.exec(rest) ?? [];
  const paths = list.split(/\s+/);
  const target = paths.pop() ?? "";
  const source = from === undefined ? undefined : stages.get(from);
  // Another image: what it has is not here, and nothing of it is needed to build.
  if (from !== undefined && source === undefined) {
    expect(rest).toBe("--from=litestream/litestream:0.5 /usr/local/bin/litestream /usr/local/bin/litestream");
    return;
  }
  for (const path of paths) {
    if (source === undefined) expect(ignored, `${path} is left out by .dockerignore`).toContain(path);
    const into = target.endsWith("./") ? join(target, path) : target;
    const absolute = into.startsWith("/") ? join(stage.root, into) : join(stage.cwd, into);
    cpSync(source ? join(source.root, path) : join(ROOT, path), absolute, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("the Dockerfile's steps, in order, make a server that answers its health check", async () => {
  const all = instructions(readFileSync(join(ROOT, "Dockerfile"), "utf8"));
  const dir = await mkdtemp(join(tmpdir(), "tenantry-image-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  let health: string[] = [];
  let command: string[] = [];
  let user = "root";

  for (const { name, rest } of all) {
    if (name === "FROM") {
      expect(rest).toMatch(/^node:24-/);
      const root = join(dir, String(stages.size));
      await mkdir(root, { recursive: true });
      stage = { root, cwd: root, env: {}, args: {} };
      stages.set(/ AS (\w+)$/.exec(rest)?.[1] ?? "", stage);
      continue;
    }
    if (stage === undefined) throw new Error(`${name} comes before FROM`);
    const inImage = (path: string): string => join(stage?.root ?? "", path);
    if (name === "WORKDIR") await mkdir((stage.cwd = inImage(rest)), { recursive: true });
    else if (name === "COPY") copy(rest, stage, stages);
    else if (name === "RUN") {
      // Nobody here may give files to another user.
      const line = rest.replaceAll(/(?<= )\/data\b/g, inImage("/data")).replace(/ && chown .*$/, "");
      await run("sh", ["-c", line], {
        cwd: stage.cwd,
        env: { ...process.env, ...stage.args, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
        maxBuffer: 64 * 1024 * 1024,
      });
    } else if (name === "ENV") {
      for (const [, variable = "", value = ""] of rest.matchAll(/(\w+)=(\S+)/g)) stage.env[variable] = value;
    } else if (name === "ARG") {
      const [, variable = "", value = ""] = /^(\w+)="(.*)"$/.exec(rest) ?? [];
      stage.args[variable] = value;
    } else if (name === "USER") user = rest;
    else if (name === "HEALTHCHECK") health = JSON.parse(rest.slice(rest.indexOf("["))) as string[];
    else if (name === "CMD") command = JSON.parse(rest) as string[];
    else expect(["VOLUME", "EXPOSE"]).toContain(name);
  }
  if (stage === undefined) throw new Error("There is no stage.");

  expect(user).toBe("node");
  for (const left of ["node_modules/wrangler", "node_modules/vitest", "node_modules/cloudflare", "src"]) {
    expect(existsSync(join(stage.cwd, left)), left).toBe(false);
  }
  // docs/deploy-fly.md replicates to S3.
  expect(existsSync(join(stage.cwd, "node_modules/aws4fetch"))).toBe(true);
  const { secret } = await createApiKey();
  const port = await freePort();
  const env = {
    PATH: process.env["PATH"] ?? "",
    ...stage.env,
    TENANTRY_PORT: String(port),
    TENANTRY_DATA: join(stage.root, stage.env["TENANTRY_DATA"] ?? ""),
    TENANTRY_MIGRATIONS: join(stage.root, stage.env["TENANTRY_MIGRATIONS"] ?? ""),
  };
  const [, ...args] = command;

  // Without a key it serves nobody, and says what to do.
  const refused = await run(process.execPath, args, { cwd: stage.cwd, env }).catch(
    (error: { stderr: string }) => error,
  );
  expect(refused.stderr).toContain("key");

  const server = spawn(process.execPath, args, {
    cwd: stage.cwd,
    env: { ...env, TENANTRY_ADMIN_KEY: secret },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void server.kill("SIGKILL"));
  await once(server.stdout, "data");
  await run(process.execPath, health.slice(health.indexOf("-e")), { env: { TENANTRY_PORT: String(port) } });
  const created = await fetch(`http://127.0.0.1:${port}/admin/tenants`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ id: "acme" }),
  });
  expect(created.status).toBe(201);
  const stranger = await fetch(`http://127.0.0.1:${port}/admin/tenants`);
  expect(stranger.status).toBe(401);
  const ended = once(server, "exit");
  server.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
}, 600_000);

test("the page of the image names every package that only some settings need", () => {
  const page = readFileSync(join(ROOT, "docs/deploy-fly.md"), "utf8");
  const { peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    peerDependencies: Record<string, string>;
  };
  for (const name of Object.keys(peerDependencies)) expect(page).toContain(name);
});
