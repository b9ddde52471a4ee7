// Owns finding Litestream's program and refusing one that is too old.
// Starts nothing but `litestream version`, and downloads nothing.
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { TenantryError } from "../tenantry-error.ts";

/** The oldest Litestream that is safe: those before carry a SQLite whose log could be reset under a reader. */
export const MIN_LITESTREAM_VERSION = "0.5.17";

/** Where a checkout's `npm ci` puts the program. */
const TOOLS_DIR = join(import.meta.dirname, "..", "..", ".tools");

const PROGRAM = process.platform === "win32" ? "litestream.exe" : "litestream";

/** Milliseconds that the program may take to say its version. */
const VERSION_TIMEOUT_MS = 10_000;

const run = promisify(execFile);

/** A Litestream that can be used. */
export interface LitestreamBinary {
  readonly path: string;
  readonly version: string;
}

/**
 * The environment that Litestream is run with. Its client of S3 does not start where `AWS_CA_BUNDLE` is set; what
 * that names it reads from `SSL_CERT_FILE`.
 */
export function litestreamEnv(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: bundle, ...rest } = env;
  return bundle ? { SSL_CERT_FILE: bundle, ...rest } : rest;
}

/** Where to look. */
export interface FindLitestreamOptions {
  /** Has `LITESTREAM_BIN` and `PATH`. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default `.tools` beside this package's sources */
  readonly toolsDir?: string;
}

/**
 * The Litestream to use: what `LITESTREAM_BIN` names, else the first good one of `PATH`, else that of
 * `.tools/`.
 * @throws {TenantryError} `BACKUPS_UNAVAILABLE`, whose message says what was found instead
 */
export async function findLitestream({
  env = process.env,
  toolsDir = TOOLS_DIR,
}: FindLitestreamOptions = {}): Promise<LitestreamBinary> {
  const { LITESTREAM_BIN: named, PATH: path = "" } = env;
  const places = named
    ? [named]
    : [...path.split(delimiter).filter(Boolean), toolsDir].map((dir) => join(dir, PROGRAM));
  const refused: string[] = [];
  for (const place of places) {
    if (!named && !(await isExecutable(place))) continue;
    const version = await versionOf(place);
    if (version !== undefined && isNewEnough(version)) return { path: place, version };
    refused.push(version === undefined ? `${place} does not say its version` : `${place} is ${version}`);
  }
  throw new TenantryError(
    "BACKUPS_UNAVAILABLE",
    refused.length === 0
      ? "There is no Litestream on this machine."
      : `There is no Litestream ${MIN_LITESTREAM_VERSION} or later: ${refused.join("; ")}.`,
    {
      hint: `Install Litestream ${MIN_LITESTREAM_VERSION} or later on PATH, or name it with LITESTREAM_BIN; in a checkout, "npm run prepare" does.`,
    },
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the program says, or undefined where it is no Litestream. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ["version"], { timeout: VERSION_TIMEOUT_MS });
    return /^v?(\d+\.\d+\.\d+\S*)\s*$/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** A version of its own, such as "0.5.18-rc1", counts as the release that it leads to. */
function isNewEnough(version: string): boolean {
  const [found, least] = [version, MIN_LITESTREAM_VERSION].map((text) => text.split(/[.+-]/).map(Number));
  for (const [at, wanted] of (least ?? []).entries()) {
    const part = found?.[at] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
