// Owns that one server at a time writes to a replica's prefix, and one replicates a data folder.
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { endLeftovers, noteProcess, processNotes } from "../src/backups/leftover-processes.ts";
import { LitestreamProcess } from "../src/backups/litestream-process.ts";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { recoverCatalog } from "../src/backups/recover-catalog.ts";
import { objectsBelow, removeObjects } from "../src/backups/remove-objects.ts";
import type { ReplicaOwner } from "../src/backups/replica-owner.ts";
import { CATALOG_PATH, catalogPath, OWNER_PATH, parseReplicaUrl } from "../src/backups/replica-url.ts";
import { takePrefix } from "../src/backups/take-prefix.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { azurite, NO_AZURITE } from "./support/azurite.ts";
import { gcsServer, NO_GCS } from "./support/gcs-server.ts";
import { NO_LITESTREAM } from "./support/litestream.ts";
import { named } from "./support/named.ts";
import { s3Server } from "./support/s3-server.ts";
import { sftpServer } from "./support/sftp-server.ts";
import { tempFolder } from "./support/temp-folder.ts";
import {
  LITESTREAM,
  replicatedTenantry,
  scratchFolder,
  until,
  withLitestream,
} from "./backups-litestream.ts";

const RENEW_MS = 400;

const PLACES: readonly [string, () => Promise<string>, string | undefined][] = [
  ["a folder", async () => `file://${await tempFolder()}`, undefined],
  ["S3", () => s3Server(), undefined],
  ["Google's storage", () => gcsServer(), NO_GCS],
  ["Azure's storage", () => azurite(), NO_AZURITE],
  ["SFTP", () => sftpServer(), undefined],
];

async function prefix(url: Promise<string>): Promise<{
  readonly take: (dir?: string) => Promise<ReplicaOwner>;
  readonly lost: string[];
}> {
  const replica = parseReplicaUrl(await url);
  const lost: string[] = [];
  const own = await tempFolder();
  const take = async (dir = own): Promise<ReplicaOwner> => {
    const owner = await takePrefix(replica, dir, {
      renewMs: RENEW_MS,
      onLost: () => void lost.push(dir),
    });
    onTestFinished(() => owner.release());
    return owner;
  };
  return { take, lost };
}

describe.each(PLACES)("in %s", (_where, place, missing) => {
  test.skipIf(missing)(
    named(
      "of two servers with folders of their own the second is refused, and let in when the first has ended",
      missing,
    ),
    async () => {
      const { take, lost } = await prefix(place());
      const other = await tempFolder();
      const first = await take();
      expect(first).toMatchObject({ catalogEpoch: 1 });
      await expect(take(other)).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
      await first.release();
      // A catalog of another folder goes another way from here: it gets a line of its own.
      expect((await take(other)).catalogEpoch).toBe(2);
      expect(lost).toEqual([]);
    },
  );

  test.skipIf(missing)(named("many that begin at once: one of them has it", missing), async () => {
    const { take } = await prefix(place());
    const folders = await Promise.all(Array.from({ length: 6 }, () => tempFolder()));
    const results = await Promise.allSettled(folders.map((dir) => take(dir)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "REPLICA_TAKEN" });
    }
  });

  test.skipIf(missing)(
    named(
      "who is killed and begins again in the same folder does not wait, and keeps the catalog's line",
      missing,
    ),
    async () => {
      const { take, lost } = await prefix(place());
      const dir = await tempFolder();
      await take(dir);
      const again = await take(dir);
      expect(again.catalogEpoch).toBe(1);
      // The first is not dead here: it finds at its next renewal that it has lost.
      await until("the first has noticed", () => lost.length === 1);
    },
  );

  const skipped = NO_LITESTREAM ?? missing;
  const name = "a second server is refused, and goes on when the first has ended";
  test.skipIf(skipped)(named(name, skipped), async () => {
    const dir = await scratchFolder();
    const replica = await place();
    const first = await replicatedTenantry(dir, { replica });
    await first.backups({ renewMs: RENEW_MS });
    const elsewhere = { replica, data: join(dir, "elsewhere") };
    const second = await replicatedTenantry(dir, elsewhere);
    await expect(second.backups({ renewMs: RENEW_MS })).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
    await second.close();
    await first.close();
    const again = await replicatedTenantry(dir, elsewhere);
    expect((await again.backups({ renewMs: RENEW_MS })).status()).toMatchObject({ alarms: [] });
  });

  const upgrade = "a folder that has replicated there without a lease goes on, and nothing of it is lost";
  test.skipIf(skipped)(named(upgrade, skipped), async () => {
    const dir = await scratchFolder();
    const replica = await place();
    const url = parseReplicaUrl(replica);
    const store = await openObjectStore(url);
    const replicated = async (tenant: "acme" | "later"): Promise<void> => {
      const tenantry = await replicatedTenantry(dir, { replica, durability: "replicated" });
      await tenantry.backups({ renewMs: RENEW_MS, canaryMs: RENEW_MS });
      const made = await until("it is made", () =>
        tenantry.lifecycle
          .create(parseTenantId(tenant))
          .catch(() => tenantry.catalog.get(parseTenantId(tenant))),
      );
      expect(made.id).toBe(tenant);
      await tenantry.close();
    };
    await replicated("acme");
    const lines = async (): Promise<Set<string>> =>
      new Set((await objectsBelow(store, `${CATALOG_PATH}/`)).map(({ key }) => key.split("/", 2).join("/")));
    expect(await lines()).toEqual(new Set([catalogPath(1)]));
    await removeObjects(store, OWNER_PATH);
    await replicated("later");
    expect(await lines()).toEqual(new Set([catalogPath(1), catalogPath(2)]));
    await recoverCatalog({ data: join(dir, "elsewhere"), replica, actor: "tester" });
    const elsewhere = await replicatedTenantry(dir, { replica, data: join(dir, "elsewhere") });
    for (const tenant of ["acme", "later"] as const) {
      expect(await elsewhere.catalog.get(parseTenantId(tenant))).toMatchObject({ state: "active" });
    }
  });
});

test("a copy of a folder is another folder", async () => {
  const { take } = await prefix(tempFolder().then((path) => `file://${path}`));
  const dir = await tempFolder();
  await take(dir);
  const copy = await tempFolder();
  await cp(dir, copy, { recursive: true });
  expect(await readFile(join(copy, "replication-id"), "utf8")).toBe(
    await readFile(join(dir, "replication-id"), "utf8"),
  );
  await expect(take(copy)).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
});

withLitestream("a second server on the same folder is refused", async () => {
  const dir = await scratchFolder();
  const first = await replicatedTenantry(dir);
  await first.backups({ renewMs: RENEW_MS });
  const beside = await replicatedTenantry(dir);
  await expect(beside.backups({ renewMs: RENEW_MS })).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
});

withLitestream(
  "what a killed server has left running is ended by the next one, and nothing else",
  async () => {
    const dir = await tempFolder();
    const notes = processNotes(dir);
    const left = await LitestreamProcess.start({ binary: LITESTREAM.path, notes });
    onTestFinished(() => left.close(0));
    expect(await readdir(notes)).toEqual([String(left.pid)]);
    // A number that is another process's by now.
    await noteProcess(notes, process.pid, join(await tempFolder(), "litestream.yml"));
    await endLeftovers(notes);
    expect(await left.ended).toBe("SIGKILL");
    expect(await readdir(notes)).toEqual([]);
  },
);
