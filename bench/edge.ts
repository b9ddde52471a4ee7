// Owns number 18: a statement in a tenant's Durable Object beside the same one in a bare object, both in workerd here.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Finding, type Pair, perSecond, ratioFinding } from "./figures.ts";
import { temporaryFolder } from "./fleet.ts";
import type { Settings } from "./settings.ts";
import { turnAbout } from "./turn-about.ts";

const ROOT = join(import.meta.dirname, "..");

/** What of the settings matters here. */
type Sizes = Pick<Settings, "rounds" | "seconds" | "folder">;

/** Statements that one request to the Worker runs: how many, and how many of them at once. */
const TURNS = [
  { name: "one after the other", times: 100, atOnce: 1 },
  { name: "fifty at once", times: 500, atOnce: 50 },
] as const;

/** Measures number 18. */
export async function edge({ rounds, seconds, folder }: Sizes): Promise<Finding[]> {
  await using data = await temporaryFolder(folder);
  await using worker = await startWorker(data.path);
  await ask(worker.url, "/prepare");
  const findings: Finding[] = [];
  for (const statement of ["read", "write"]) {
    for (const { name, times, atOnce } of TURNS) {
      const path = `?statement=${statement}&times=${times}&atOnce=${atOnce}`;
      const turnOf = (which: string) => async (): Promise<number> => {
        await ask(worker.url, `/${which}${path}`);
        return times;
      };
      const turns = { bare: turnOf("bare"), ours: turnOf("ours") };
      await turnAbout(turns, 0.5);
      const pairs: Pair[] = [];
      for (let round = 0; round < rounds; round++) pairs.push(await turnAbout(turns, seconds));
      findings.push(ratioFinding(`a ${statement} in an object, ${name}`, pairs, { atLeast: 0.8 }, perSecond));
    }
  }
  return findings;
}

async function ask(url: string, path: string): Promise<void> {
  const answer = await fetch(url + path);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
}

async function startWorker(state: string): Promise<AsyncDisposable & { readonly url: string }> {
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const config = join(import.meta.dirname, "edge/wrangler.toml");
  const place = ["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0", "--persist-to", state];
  const child = spawn(process.execPath, [wrangler, "dev", "--config", config, ...place], {
    cwd: ROOT,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      const found = /(http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`wrangler dev ended with ${code}: ${said}`)));
  });
  return {
    url,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    },
  };
}
