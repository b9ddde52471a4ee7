// Owns number 17: a tenant of 100 MB copied into a libSQL file and compared, beside `sqlite3 .dump | sqlite3`.
// The bare side compares nothing.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { copyToFile } from "../src/copy/file-end.ts";
import { localDriver } from "../src/drivers/local/local-driver.ts";
import { type Finding, type Pair, ratioFinding } from "./figures.ts";
import { temporaryFolder } from "./fleet.ts";
import type { Settings } from "./settings.ts";

const ROWS = 240_000;
const QUICK_ROWS = 24_000;
const MAX_ROUNDS = 5;

/** Measures number 17. */
export async function copies({ rounds, quick, folder: parent }: Settings): Promise<Finding[]> {
  const name = "a tenant into a libSQL file";
  if (!(await hasSqlite3())) {
    return [{ name, measured: "not measured: there is no sqlite3 command", target: "", met: true }];
  }
  await using folder = await temporaryFolder(parent);
  const source = join(folder.path, "tenant.db");
  makeTenant(source, quick ? QUICK_ROWS : ROWS);
  const { size } = await stat(source);
  const handle = await localDriver({ dir: folder.path }).openFile(source);
  const pairs: Pair[] = [];
  for (let round = 0; round < Math.min(rounds, MAX_ROUNDS); round++) {
    const bare = await timed(folder.path, (to) => dump(source, to));
    const ours = await timed(folder.path, (to) => copyToFile({ db: handle, stable: true, handle }, to));
    pairs.push({ bare: size / bare, ours: size / ours });
  }
  await handle.close();
  return [ratioFinding(name, pairs, { atLeast: 0.5 }, (value) => `${(value / 1000).toFixed(0)} MB/s`)];
}

function makeTenant(path: string, rows: number): void {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.exec(`CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, balance REAL,
      avatar BLOB, note TEXT);
    CREATE INDEX by_name ON customers (name);
    CREATE TABLE pairs (k TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID;`);
  const customer = db.prepare("INSERT INTO customers VALUES (?, ?, ?, ?, randomblob(60), ?)");
  const pair = db.prepare("INSERT INTO pairs VALUES (?, ?)");
  db.transaction(() => {
    for (let i = 1; i <= rows; i++) {
      customer.run(i, `name ${i}`, `user${i}@example.com`, i / 7, "lorem ipsum dolor sit amet ".repeat(8));
      if (i % 4 === 0) pair.run(`key${i}`, i);
    }
  })();
  db.close();
}

async function timed(folder: string, copy: (to: string) => Promise<unknown>): Promise<number> {
  const to = join(folder, "copy.db");
  const started = performance.now();
  await copy(to);
  const ms = performance.now() - started;
  await rm(to);
  return ms;
}

async function dump(from: string, to: string): Promise<void> {
  const reader = spawn("sqlite3", [from, ".dump"], { stdio: ["ignore", "pipe", "inherit"] });
  const writer = spawn("sqlite3", [to], { stdio: ["pipe", "ignore", "inherit"] });
  reader.stdout.pipe(writer.stdin);
  await once(writer, "close");
}

async function hasSqlite3(): Promise<boolean> {
  try {
    await promisify(execFile)("sqlite3", ["--version"]);
    return true;
  } catch {
    return false;
  }
}
