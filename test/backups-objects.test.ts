// Holds the stores of objects to one behaviour: folders and S3, with snapshots in them.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { objectSnapshots } from "../src/backups/object-snapshots.ts";
import type { ObjectStore, StoredObject } from "../src/backups/object-store.ts";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { snapshotName } from "../src/backups/snapshot-name.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { s3Server } from "./support/s3-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const ACME = parseTenantId("acme");
const PLACES = {
  "a folder": async () => `file://${join(await tempFolder(), "objects")}`,
  S3: () => s3Server("deep/prefix"),
};

async function keys(store: ObjectStore, prefix = "", versions = false): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix, { versions })) found.push(key);
  return found.toSorted();
}

test.for(Object.entries(PLACES))(
  "objects in %s are stored, listed, fetched and removed",
  async ([, place]) => {
    const store = await openObjectStore(parseReplicaUrl(await place()));
    const dir = await tempFolder();
    expect(await keys(store)).toEqual([]);
    const file = join(dir, "file");
    await writeFile(file, "content");
    for (const key of ["acme/1", "acme/deep/er/2", "acme-other/3", "b"]) await store.put(key, file);
    expect(await keys(store)).toEqual(["acme-other/3", "acme/1", "acme/deep/er/2", "b"]);
    expect(await keys(store, "acme/")).toEqual(["acme/1", "acme/deep/er/2"]);
    expect(await keys(store, "acme/", true)).toEqual(["acme/1", "acme/deep/er/2"]);
    await store.get("acme/deep/er/2", join(dir, "back"));
    expect(await readFile(join(dir, "back"), "utf8")).toBe("content");
    await expect(store.get("nothing", join(dir, "no"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    for await (const object of store.list("acme/")) await store.remove(object);
    await store.remove({ key: "acme/1", bytes: 0 });
    expect(await keys(store)).toEqual(["acme-other/3", "b"]);
  },
);

test("an object that is larger than a part is uploaded in parts, and comes back as it was", async () => {
  const store = await openObjectStore(parseReplicaUrl(await s3Server()));
  const dir = await tempFolder();
  const part = randomBytes(1024 * 1024);
  const whole = Buffer.concat(Array.from({ length: 70 }, () => part));
  await writeFile(join(dir, "large"), whole);
  await store.put("large", join(dir, "large"));
  await store.get("large", join(dir, "back"));
  expect((await readFile(join(dir, "back"))).equals(whole)).toBe(true);
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

test("what only Litestream reaches is said, as is a bucket that is not there", async () => {
  for (const url of ["abs://account@container/path", "gs://bucket/path", "sftp://user@host/path"]) {
    await expect(openObjectStore(parseReplicaUrl(url))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringMatching(/s3:\/\/ or file:\/\//) as string,
    });
  }
  const there = await s3Server();
  const store = await openObjectStore(parseReplicaUrl(there.replace("//bucket/", "//other/")));
  await expect(keys(store)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /no such bucket/ });
  const gone = await openObjectStore(parseReplicaUrl(there.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1")));
  await expect(keys(gone)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE" });
});

test.for(Object.entries(PLACES))(
  "snapshots in %s are compressed, and come back byte by byte",
  async ([, place]) => {
    const url = parseReplicaUrl(await place());
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
  },
);
