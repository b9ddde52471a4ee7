// Owns putting load on a server: by `wrk` where that is installed, else by a generator of our own; and, over
// many paths, always by our own.
// Does not start the server.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "./fleet.ts";
import type { LoadOrder } from "./load-generator.ts";

/** What came of a load. */
export interface LoadResult {
  readonly perSecond: number;
  /** Microseconds in which half of the requests were answered. */
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly requests: number;
}

const run = promisify(execFile);

/**
 * Asks for one URL again and again, each connection as soon as it has its answer.
 * @param body JSON that is sent with POST; without it, it is GET
 */
export async function load(
  url: string,
  connections: number,
  seconds: number,
  body?: string,
): Promise<LoadResult> {
  if (!(await hasWrk())) return loadPaths(url, [""], { connections, seconds, ...(body && { body }) });
  await using script = body === undefined ? undefined : await postScript(body);
  const { stdout } = await run("wrk", [
    "-t1",
    `-c${connections}`,
    `-d${Math.ceil(seconds)}s`,
    "--latency",
    ...(script ? ["-s", script.path] : []),
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`Not every request was answered:\n${stdout}`);
  return {
    perSecond: Number(find(stdout, /Requests\/sec:\s+([\d.]+)/)),
    p50Micros: microsOf(find(stdout, /50%\s+([\d.]+(?:us|ms|s))/)),
    p99Micros: microsOf(find(stdout, /99%\s+([\d.]+(?:us|ms|s))/)),
    requests: Number(find(stdout, /(\d+) requests in/)),
  };
}

/** Asks for `paths` below `url` one after the other, and begins again at their end. */
export async function loadPaths(
  url: string,
  paths: readonly string[],
  limit: Omit<LoadOrder, "url" | "paths">,
): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, "load-generator.ts"));
  child.send({ url, paths, ...limit } satisfies LoadOrder);
  const [result] = await once(child, "message");
  await once(child, "exit");
  const { failure, ...figures } = result as LoadResult & { failure?: string };
  if (failure !== undefined) throw new Error(failure);
  return figures;
}

let wrk: Promise<boolean> | undefined;

/** Whether `wrk` is there. */
export function hasWrk(): Promise<boolean> {
  wrk ??= run("wrk", ["-v"]).then(
    () => true,
    // It says its version with the exit code 1.
    (error: { code?: unknown }) => error.code === 1,
  );
  return wrk;
}

/** What tells wrk to send `body`; it knows no other way. */
async function postScript(body: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await temporaryFolder(tmpdir());
  const path = join(folder.path, "post.lua");
  const lines = [
    `wrk.method = "POST"`,
    `wrk.headers["content-type"] = "application/json"`,
    `wrk.body = ${JSON.stringify(body)}`,
  ];
  await writeFile(path, lines.join("\n"));
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

function find(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`wrk said something unexpected:\n${text}`);
  return found;
}

function microsOf(text: string): number {
  const value = Number.parseFloat(text);
  return text.endsWith("us") ? value : text.endsWith("ms") ? value * 1e3 : value * 1e6;
}
