// Holds the stores of objects to one behaviour: folders, S3, Google's, Azure's and SFTP, with snapshots in them.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { objectSnapshots } from "../src/backups/object-snapshots.ts";
import type { ObjectStore, StoredObject } from "../src/backups/object-store.ts";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { removeObjects } from "../src/backups/remove-objects.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { sftpConnection } from "../src/backups/sftp-connection.ts";
import { snapshotName } from "../src/backups/snapshot-name.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { azurite, NO_AZURITE } from "./support/azurite.ts";
import { gcsServer, NO_GCS } from "./support/gcs-server.ts";
import { named } from "./support/named.ts";
import { s3Server } from "./support/s3-server.ts";
import { NO_OPENSSH, openSshServer, sftpServer } from "./support/sftp-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const PLACES: readonly [string, (prefix: string) => Promise<string>, string | undefined][] = [
  ["a folder", async (prefix) => `file://${join(await tempFolder(), prefix)}`, undefined],
  ["S3", s3Server, undefined],
  ["Google's storage", gcsServer, NO_GCS],
  ["Azure's storage", azurite, NO_AZURITE],
  ["SFTP", sftpServer, undefined],
  ["OpenSSH's SFTP", openSshServer, NO_OPENSSH],
];

async function keys(store: ObjectStore, prefix = "", versions = false): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix, { versions })) found.push(key);
  return found.toSorted();
}

describe.each(PLACES)("in %s", (where, place, missing) => {
  const open = async (prefix = "deep/prefix"): Promise<ObjectStore> =>
    openObjectStore(parseReplicaUrl(await place(prefix)));

  test.skipIf(missing)(named("objects are stored, listed, fetched and removed", missing), async () => {
    const replica = await place("deep/prefix");
    const store = await openObjectStore(parseReplicaUrl(replica));
    const beside = await openObjectStore(parseReplicaUrl(replica.replace("deep/prefix", "deep/prefix-2")));
    const dir = await tempFolder();
    expect(await keys(store)).toEqual([]);
    const file = join(dir, "file");
    await writeFile(file, "content");
    await beside.put("acme/1", file);
    for (const key of ["acme/1", "acme/deep/er/2", "acme-other/3", "b"]) await store.put(key, file);
    expect(await keys(store)).toEqual(["acme-other/3", "acme/1", "acme/deep/er/2", "b"]);
    expect(await keys(store, "acme/")).toEqual(["acme/1", "acme/deep/er/2"]);
    expect(await keys(store, "acme/", true)).toEqual(["acme/1", "acme/deep/er/2"]);
    await store.get("acme/deep/er/2", join(dir, "back"));
    expect(await readFile(join(dir, "back"), "utf8")).toBe("content");
    await expect(store.get("nothing", join(dir, "no"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(existsSync(join(dir, "no"))).toBe(false);
    for await (const object of store.list("acme/")) await store.remove(object);
    await store.remove({ key: "acme/1", bytes: 0 });
    expect(await keys(store)).toEqual(["acme-other/3", "b"]);
  });

  test.skipIf(missing)(
    named("a prefix that is the whole of it, and odd keys, and nothing in a file", missing),
    async () => {
      const store = await open("");
      const dir = await tempFolder();
      await writeFile(join(dir, "empty"), "");
      // All that a replica's path may have in it, and for those that were tried with it, more.
      const odd = ["a+b", "a@b=c:d,e~f", "a b", "a%2Fb", "a&b=c", "ä/日本"];
      if (where !== "S3") odd.push("a?b#c", "it's/(so)!*");
      for (const key of odd) await store.put(key, join(dir, "empty"));
      expect(await keys(store)).toEqual(odd.toSorted());
      for (const [at, key] of odd.entries()) await store.get(key, join(dir, `back-${at}`));
      for await (const object of store.list("", { versions: true })) await store.remove(object);
      expect(await keys(store, "", true)).toEqual([]);
    },
  );

  test.skipIf(missing)(
    named("what is larger than a part is uploaded in parts, and comes back as it was", missing),
    async () => {
      const store = await open();
      const dir = await tempFolder();
      const part = randomBytes(1024 * 1024 + 7);
      const whole = Buffer.concat(Array.from({ length: where === "S3" ? 70 : 35 }, () => part));
      await writeFile(join(dir, "large"), whole);
      await store.put("large", join(dir, "large"));
      await store.get("large", join(dir, "back"));
      expect((await readFile(join(dir, "back"))).equals(whole)).toBe(true);
      await expect(store.get("large", join(dir, "back"))).rejects.toMatchObject({ code: "EEXIST" });
      for await (const { key, bytes } of store.list(""))
        expect([key, bytes]).toEqual(["large", whole.length]);
    },
  );

  test.skipIf(missing)(named("snapshots are compressed, and come back byte by byte", missing), async () => {
    const url = parseReplicaUrl(await place("deep/prefix"));
    const snapshots = objectSnapshots(() => openObjectStore(url), url.shown);
    const dir = await tempFolder();
    const file = join(dir, "one.db");
    await writeFile(file, "the same again and ".repeat(5000));
    const name = snapshotName(Date.UTC(2026, 10, 22));
    const { storedBytes } = await snapshots.put(ACME, name, file);
    expect(storedBytes).toBeLessThan(1000);
    await expect(snapshots.put(ACME, name, file)).rejects.toMatchObject({ code: "DATABASE_EXISTS" });
    await snapshots.put(ACME, snapshotName(0), file);
    expect(await snapshots.list(ACME)).toMatchObject([{ name: snapshotName(0) }, { name, storedBytes }]);
    await snapshots.fetch(ACME, name, join(dir, "back.db"));
    expect((await readFile(join(dir, "back.db"))).equals(await readFile(file))).toBe(true);
    const tenants: string[] = [];
    for await (const tenant of snapshots.tenants()) tenants.push(tenant);
    expect(tenants).toEqual(["acme"]);
    await snapshots.remove(ACME, name);
    expect(await snapshots.list(ACME)).toMatchObject([{ name: snapshotName(0) }]);
    await snapshots.removeAll(ACME);
    expect(await snapshots.list(ACME)).toEqual([]);
    // A file that is no snapshot is none, and one that is damaged is said to be.
    const store = await openObjectStore(url);
    await store.put(`acme/${name}.db.zst`, file);
    await expect(snapshots.fetch(ACME, name, join(dir, "damaged.db"))).rejects.toMatchObject({
      code: "DATABASE_CORRUPT",
    });
  });
});

test.for([
  ["a folder", async (root: string) => `file://${root}/deep/prefix`],
  ["SFTP", () => sftpServer("deep/prefix")],
] as const)("in %s a folder without files is there to be removed", async ([kind, place]) => {
  const root = await tempFolder();
  const url = parseReplicaUrl(await place(root));
  const store = await openObjectStore(url);
  const file = join(root, "file");
  await writeFile(file, "content");
  const makeFolder = async (key: string): Promise<void> => {
    if (kind === "a folder") await mkdir(url.keyOf(key), { recursive: true });
    else await (await sftpConnection(url))((sftp) => sftp.makeFolder(url.keyOf(key)));
  };
  // As Litestream leaves it when what was there has been merged.
  for (const key of ["acme/ltx/0", "acme/ltx/1", "acme-2/ltx/0"]) await makeFolder(key);
  await store.put("acme/ltx/1/a", file);
  expect(await keys(store, "acme/")).toEqual(["acme/ltx/0/", "acme/ltx/1/a"]);
  expect(await removeObjects(store, "acme/")).toHaveLength(2);
  expect(await keys(store)).toEqual(["acme-2/ltx/0/"]);
  await makeFolder("empty");
  expect(await keys(store, "empty/")).toEqual(["empty/"]);
  await store.remove({ key: "empty/", bytes: 0 });
  await removeObjects(store, "");
  expect(await keys(store)).toEqual([]);
});

test("a listing of several pages is read to its end, of versions too", async () => {
  // The server of the other tests has a thousand objects to a page, and no versions. The answers are S3's own, cut short.
  await s3Server();
  const asked: string[] = [];
  const server = createServer(({ url = "" }, answer) => {
    const { searchParams } = new URL(url, "http://s3");
    asked.push(url);
    const [token, marker] = [searchParams.get("continuation-token"), searchParams.get("key-marker")];
    if (searchParams.has("versions")) {
      answer.end(
        marker === null
          ? `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>tenants/a%2B1</NextKeyMarker>
             <NextVersionIdMarker>v1</NextVersionIdMarker><Version><Key>tenants/a%2B1</Key><VersionId>v1</VersionId>
             <Size>5</Size></Version></ListVersionsResult>`
          : `<ListVersionsResult><IsTruncated>false</IsTruncated><DeleteMarker><Key>tenants/b</Key>
             <VersionId>v2</VersionId></DeleteMarker></ListVersionsResult>`,
      );
    } else {
      answer.end(
        token === null
          ? `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>1/a&amp;b=</NextContinuationToken>
             <Contents><Key>tenants/a%2B1</Key><Size>5</Size></Contents></ListBucketResult>`
          : `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>tenants/b</Key><Size>6</Size>
             </Contents></ListBucketResult>`,
      );
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const store = await openObjectStore(
    parseReplicaUrl(`s3://bucket/tenants?endpoint=http://127.0.0.1:${port}`),
  );
  expect(await keys(store)).toEqual(["a+1", "b"]);
  expect(asked[1]).toContain("continuation-token=1%2Fa%26b%3D");
  const versions: StoredObject[] = [];
  for await (const object of store.list("", { versions: true })) versions.push(object);
  expect(versions).toEqual([
    { key: "a+1", bytes: 5, version: "v1" },
    { key: "b", bytes: 0, version: "v2" },
  ]);
});

test("a bucket that is not there is said not to be", async () => {
  const there = await s3Server();
  const store = await openObjectStore(parseReplicaUrl(there.replace("//bucket/", "//other/")));
  await expect(keys(store)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /no such bucket/ });
  const gone = await openObjectStore(parseReplicaUrl(there.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1")));
  await expect(keys(gone)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE" });
});
