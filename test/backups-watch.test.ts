// Holds what keeps a second server from a prefix where nobody can keep a note: it hears the other one's canary.
import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { expect, onTestFinished } from "vitest";
import { CANARY_PATH, catalogPath, parseReplicaUrl } from "../src/backups/replica-url.ts";
import { ReplicaWatch } from "../src/backups/replica-watch.ts";
import { LITESTREAM, until, withLitestream } from "./backups-litestream.ts";
import { tempFolder } from "./support/temp-folder.ts";

const CANARY_MS = 700;

/** A prefix, and a database that can be replicated to any of its lines. */
async function prefix() {
  const url = parseReplicaUrl(`file://${join(await tempFolder(), "replica")}`);
  const lost: string[] = [];
  const take = async (dir: string): Promise<ReplicaWatch> => {
    const options = { binary: LITESTREAM, canaryMs: CANARY_MS, onLost: () => void lost.push(dir) };
    const watch = await ReplicaWatch.take(url, dir, options);
    onTestFinished(() => watch.release());
    return watch;
  };
  const path = join(await tempFolder(), "canary.db");
  const write = async (below: string): Promise<void> => {
    const db = new Database(path);
    db.exec(
      "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS canary (at); INSERT INTO canary VALUES (1)",
    );
    db.close();
    await promisify(execFile)(LITESTREAM.path, ["replicate", "-once", path, url.at(below)]);
  };
  return { take, lost, write };
}

withLitestream(
  "a new prefix is had at once, and again by the same folder, whose line stays its own",
  async () => {
    const { take, write } = await prefix();
    const dir = await tempFolder();
    const first = await take(dir);
    expect(first).toMatchObject({ catalogEpoch: 1, fenced: false });
    await write(`${CANARY_PATH}/1`);
    await first.release();
    expect((await take(dir)).catalogEpoch).toBe(1);
  },
);

withLitestream(
  "a server whose canary sings is left alone; one that is silent is followed on a line of its own",
  async () => {
    const { take, lost, write } = await prefix();
    const [dir, other] = [await tempFolder(), await tempFolder()];
    await take(dir);
    await write(`${CANARY_PATH}/1`);
    const silence = new AbortController();
    const singing = (async () => {
      while (!silence.signal.aborted) await write(`${CANARY_PATH}/1`);
    })();
    await expect(take(other)).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
    // A copy of the folder is another folder.
    const copy = join(await tempFolder(), "copy");
    await cp(dir, copy, { recursive: true });
    await expect(take(copy)).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
    silence.abort();
    await singing;
    expect((await take(other)).catalogEpoch).toBe(2);
    expect(lost).toEqual([]);
    // The first one is not dead here: it hears the other one's canary.
    await write(`${CANARY_PATH}/2`);
    await until("the first has noticed", () => lost.length > 0);
    expect(lost).toEqual([dir]);
    // And comes back behind it, when it is silent.
    expect((await take(dir)).catalogEpoch).toBe(3);
  },
);

withLitestream("a catalog without a canary has its line, too", async () => {
  const { take, write } = await prefix();
  await write(catalogPath(1));
  expect((await take(await tempFolder())).catalogEpoch).toBe(2);
});
