// Owns the doctor's checks of what Tenantry stands on: Node, SQLite, descriptors, the disk, the folder's rights.
// Opens nothing in the data folder.
import { access, constants, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import Database from "better-sqlite3";
import { DEFAULT_MAX_OPEN } from "../handle-cache/handle-cache.ts";
import { descriptorLimit, handlesThatFit, RESERVED_DESCRIPTORS } from "./descriptor-limit.ts";
import type { Finding } from "./finding.ts";

/** The oldest Node that Tenantry runs on. */
export const LEAST_NODE = "22.12.0";

/** The first SQLite in which resetting the write-ahead log cannot lose commits (the WAL-reset bug). */
export const LEAST_SQLITE = "3.51.3";

/** Free bytes of the disk below which there is an error, and a warning. */
export const LEAST_FREE_BYTES = { error: 100 * 2 ** 20, warn: 2 ** 30 } as const;

/** The share of free inodes below which there is a warning. */
export const LEAST_FREE_INODES = 0.05;

/** An open local database's descriptors. */
const DESCRIPTORS_PER_HANDLE = 3;

/** Examines the machine. @param dir the data folder */
export async function examineMachine(dir: string): Promise<Finding[]> {
  return [...versions(), descriptors(), ...(await rights(dir)), ...(await disk(dir))];
}

function versions(): Finding[] {
  const sqlite = new Database(":memory:");
  const sqliteVersion = sqlite.prepare("SELECT sqlite_version()").pluck().get() as string;
  sqlite.close();
  const { version: binding } = createRequire(import.meta.url)("better-sqlite3/package.json") as {
    version: string;
  };
  return [
    atLeast("node", "Node", process.versions.node, LEAST_NODE, "Install a newer Node."),
    atLeast(
      "sqlite",
      `SQLite (better-sqlite3 ${binding})`,
      sqliteVersion,
      LEAST_SQLITE,
      "Update better-sqlite3: older ones can corrupt a database when its write-ahead log begins anew.",
    ),
  ];
}

function atLeast(check: string, what: string, version: string, least: string, hint: string): Finding {
  if (compareVersions(version, least) >= 0) return { check, severity: "ok", message: `${what} ${version}.` };
  return {
    check,
    severity: "error",
    message: `${what} is ${version}, and ${least} is the oldest that is safe.`,
    hint,
  };
}

/** Negative, 0 or positive, as of two `1.2.3`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map((part) => Number.parseInt(part, 10));
  const right = b.split(".").map((part) => Number.parseInt(part, 10));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function descriptors(): Finding {
  const check = "descriptors";
  const limit = descriptorLimit();
  const fitting = handlesThatFit(limit, DESCRIPTORS_PER_HANDLE);
  const shown = Number.isFinite(limit) ? limit.toLocaleString("en") : "no limit of";
  if (fitting >= DEFAULT_MAX_OPEN)
    return { check, severity: "ok", message: `${shown} open files are allowed.` };
  const wanted = DEFAULT_MAX_OPEN * DESCRIPTORS_PER_HANDLE + RESERVED_DESCRIPTORS;
  return {
    check,
    severity: "warn",
    message: `${shown} open files are allowed: enough for ${fitting} open databases, where ${DEFAULT_MAX_OPEN} are usual.`,
    hint: `Raise the limit: ulimit -n ${wanted}`,
  };
}

async function rights(dir: string): Promise<Finding[]> {
  const check = "folder";
  try {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    return [{ check, severity: "ok", message: "The data folder can be read and written.", path: dir }];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return [
      {
        check,
        severity: "error",
        message:
          code === "ENOENT"
            ? "There is no data folder."
            : `The data folder cannot be read and written: ${code}.`,
        hint:
          code === "ENOENT" ? "Name it with --data DIR." : "Check who owns it, and how the disk is mounted.",
        path: dir,
      },
    ];
  }
}

async function disk(dir: string): Promise<Finding[]> {
  const check = "disk";
  let found;
  try {
    found = await statfs(dir);
  } catch {
    // The folder's rights have said so.
    return [];
  }
  const free = found.bavail * found.bsize;
  const severity = free < LEAST_FREE_BYTES.error ? "error" : free < LEAST_FREE_BYTES.warn ? "warn" : "ok";
  const findings: Finding[] = [
    {
      check,
      severity,
      message: `${(free / 2 ** 30).toFixed(1)} GiB of the disk are free.`,
      ...(severity !== "ok" && { hint: "Free some disk space: writes fail when there is none." }),
    },
  ];
  // Some file systems make inodes as they need them and say 0.
  if (found.files > 0 && found.ffree / found.files < LEAST_FREE_INODES) {
    findings.push({
      check: "inodes",
      severity: "warn",
      message: `${found.ffree.toLocaleString("en")} more files fit on the disk.`,
      hint: "Each open tenant takes three. Remove small files, or use a file system with more inodes.",
    });
  }
  return findings;
}
