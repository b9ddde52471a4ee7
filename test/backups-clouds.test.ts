// Holds replicas at Azure's, at Google's and by SFTP to what is said of them: tenants come back from there at any moment
// and on another machine, one server writes there, and nothing is left there of who is erased.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { recoverCatalog } from "../src/backups/recover-catalog.ts";
import { objectsBelow } from "../src/backups/remove-objects.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { snapshotName } from "../src/backups/snapshot-name.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import type { Tenantry } from "../src/tenantry.ts";
import { until } from "./backups-litestream.ts";
import { azurite, NO_AZURITE } from "./support/azurite.ts";
import { setEnvironment } from "./support/emulator.ts";
import { gcsServer, NO_GCS } from "./support/gcs-server.ts";
import { named } from "./support/named.ts";
import { NO_LITESTREAM } from "./support/litestream.ts";
import { NO_OPENSSH, openSshServer, sftpServer } from "./support/sftp-server.ts";
import { addNote, notesOf, tempFolder, tempTenantry, whenHere } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const LATER = parseTenantId("later");
const COPY = parseTenantId("acme-copy");
/** Another server is waited for three of them. */
const CANARY_MS = 1_500;
const BACKUPS = { pollMs: 20, canaryMs: CANARY_MS, renewMs: CANARY_MS };

const KINDS: readonly [string, () => Promise<string>, string | undefined][] = [
  ["sftp", NO_OPENSSH === undefined ? openSshServer : sftpServer, undefined],
  ["gs", gcsServer, NO_GCS],
  ["abs", azurite, NO_AZURITE],
];

async function onAnotherMachine(replica: string): Promise<Tenantry> {
  const data = await tempFolder();
  await recoverCatalog({ data, replica, actor: "tester" });
  return tempTenantry({ data, replica });
}

describe.each(KINDS)("%s", (_kind, storage, missing) => {
  const skipped = NO_LITESTREAM ?? missing;

  test.skipIf(skipped)(
    named("tenants come back at any moment, and on another machine", skipped),
    async () => {
      const replica = await storage();
      const tenantry = await tempTenantry({ replica, tenants: ["acme"] });
      const { restores, drills, erasure } = tenantry.recovery;
      const backups = await tenantry.backups(BACKUPS);
      const replicated = (): Promise<number> =>
        until("it is in the replica", () => backups.replicated(ACME, 2_000).catch(() => undefined));
      await addNote(tenantry, "acme", "first");
      const txid = (await replicated()).toString(16).padStart(16, "0");
      await addNote(tenantry, "acme", "second");
      await replicated();
      expect(backups.tenants()).toMatchObject([
        { tenant: "acme", confirmed: true, failure: null, ahead: false },
      ]);
      expect(await drills.run({ all: true })).toMatchObject({ passed: 1, failed: 0 });

      await restores.toNew(ACME, COPY, { kind: "replica", txid });
      expect(await notesOf(tenantry, "acme-copy")).toEqual(["first"]);
      await expect(restores.inPlace(ACME, { kind: "replica", at: 0 })).rejects.toMatchObject({
        code: "REPLICA_RANGE",
      });
      await restores.inPlace(ACME, { kind: "replica", txid });
      await addNote(tenantry, "acme", "third");
      await replicated();
      await until("the copy is there", () => backups.replicated(COPY, 2_000).catch(() => undefined));

      const elsewhere = await onAnotherMachine(replica);
      expect(await whenHere(() => notesOf(elsewhere, "acme"))).toEqual(["first", "third"]);
      expect(await whenHere(() => notesOf(elsewhere, "acme-copy"))).toEqual(["first"]);
      const { replica: erased } = await erasure.erase(ACME);
      expect(erased).toMatchObject({ place: parseReplicaUrl(replica).shown });
      expect(erased?.objects).toBeGreaterThan(1);
      const store = await openObjectStore(parseReplicaUrl(replica));
      expect(await objectsBelow(store, "default/acme/")).toEqual([]);
      expect((await objectsBelow(store, "default/acme-copy/")).length).toBeGreaterThan(0);
    },
  );

  test.skipIf(skipped)(
    named("one server writes there, and who follows it goes on, time and again", skipped),
    async () => {
      const replica = await storage();
      const first = await tempTenantry({ replica, durability: "replicated" });
      await first.backups(BACKUPS);
      await until("it is made", () => first.lifecycle.create(ACME).catch(() => first.catalog.get(ACME)));
      await until("a write is acknowledged", () =>
        addNote(first, "acme", "first").then(
          () => true,
          () => false,
        ),
      );
      const second = await onAnotherMachine(replica);
      await expect(second.backups(BACKUPS)).rejects.toMatchObject({ code: "REPLICA_TAKEN" });
      await first.close(0);
      const notes = await whenHere(() => notesOf(second, "acme"));
      expect(notes).toContain("first");
      const backups = await second.backups(BACKUPS);
      await addNote(second, "acme", "second");
      await second.lifecycle.create(LATER);
      for (const id of [ACME, LATER]) {
        await until("it is in the replica", () => backups.replicated(id, 2_000).catch(() => undefined));
      }
      const third = await onAnotherMachine(replica);
      expect(await whenHere(() => notesOf(third, "acme"))).toEqual([...notes, "second"]);
      expect(await whenHere(() => notesOf(third, "later"))).toEqual([]);
    },
  );
});

describe.each(KINDS.filter(([kind]) => kind !== "sftp"))("snapshots at %s", (_kind, storage, missing) => {
  test.skipIf(missing)(named("are kept by count, restored from, and erased", missing), async () => {
    const snapshots = await storage();
    const replica = `file://${await tempFolder()}`;
    const tenantry = await tempTenantry({ tenants: ["acme"], snapshots, replica });
    const { recovery } = tenantry;
    for (const [at, body] of ["first", "second", "third"].entries()) {
      await addNote(tenantry, "acme", body);
      await recovery.snapshots.takeAll({ at: Date.UTC(2026, 10, 20 + at), keep: 2 });
    }
    const names = (await recovery.snapshots.list(ACME)).map(({ name }) => name);
    expect(names).toEqual([snapshotName(Date.UTC(2026, 10, 21)), snapshotName(Date.UTC(2026, 10, 22))]);
    await recovery.restores.inPlace(ACME, { kind: "snapshot", name: names[0]! });
    expect(await notesOf(tenantry, "acme")).toEqual(["first", "second"]);
    expect(await recovery.erasure.erase(ACME)).toMatchObject({ snapshots: { place: snapshots, names } });
    const store = await openObjectStore(parseReplicaUrl(snapshots));
    expect(await objectsBelow(store, "")).toEqual([]);
  });
});

test.skipIf(NO_LITESTREAM)("a wrong password is told, without the password", async () => {
  const replica = (await sftpServer()).replace(/:[^:@]*@/, ":wrong-secret@");
  const tenantry = await tempTenantry({ replica });
  const error = await tenantry.backups(BACKUPS).catch((refused: unknown) => refused);
  expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /the password is refused/ });
  expect(inspect(error)).not.toContain("wrong-secret");
});

test.skipIf(NO_LITESTREAM)("a service that never answers is not waited for for ever", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const replica = `sftp://backup:secret@127.0.0.1:${port}/tenants`;
  await expect(recoverCatalog({ data: await tempFolder(), replica, actor: "tester" })).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
    message: /timed out/,
  });
});

test.skipIf(NO_LITESTREAM ?? NO_GCS)(named("a bucket that is not there", NO_GCS), async () => {
  const replica = (await gcsServer()).replace("bucket", "no-bucket");
  await expect(recoverCatalog({ data: await tempFolder(), replica, actor: "tester" })).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
    message: /bucket doesn't exist/,
  });
});

test.skipIf(NO_LITESTREAM ?? NO_AZURITE)(
  named("a container that is not there, and a wrong key", NO_AZURITE),
  async () => {
    const replica = await azurite();
    const data = await tempFolder();
    const recover = (from: string): Promise<unknown> =>
      recoverCatalog({ data, replica: from, actor: "tester" });
    await expect(recover(replica.replace("container", "no-container"))).rejects.toMatchObject({
      code: "BACKUPS_UNAVAILABLE",
      message: /does not exist. \(ContainerNotFound\)/,
    });
    setEnvironment({ LITESTREAM_AZURE_ACCOUNT_KEY: "d3Jvbmc=" });
    await expect(recover(replica)).rejects.toMatchObject({
      code: "BACKUPS_UNAVAILABLE",
      message: /answered 403 .* \(AuthorizationFailure\)/,
    });
  },
);
