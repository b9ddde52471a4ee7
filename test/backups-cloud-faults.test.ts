// Holds the clients of Google's and Azure's object storage to what their services document and no emulator can be made
// to do: pages, what is softly deleted, uploads that are kept in part, failures that pass, refusals that tell no secret.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { ObjectStore, StoredObject } from "../src/backups/object-store.ts";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { openReplicaNote } from "../src/backups/open-replica-note.ts";
import { objectsBelow, removeObjects } from "../src/backups/remove-objects.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { NO_OPENSSL } from "./support/cloud-hosts.ts";
import { setEnvironment } from "./support/emulator.ts";
import { named } from "./support/named.ts";
import { type Answer, type Asked, type StandIn, standIn, standInFor } from "./support/stand-in.ts";
import { tempFolder } from "./support/temp-folder.ts";

const GS = parseReplicaUrl("gs://bucket/tenants");
const ABS = parseReplicaUrl("abs://account@container/tenants");
const SIGNATURE = "a-signature-that-nobody-may-see";

/** A service with a client of it. */
type Service = StandIn & { readonly store: ObjectStore };

async function google(answer: (asked: Asked) => Answer): Promise<Service> {
  const service = await standIn(answer);
  setEnvironment({ STORAGE_EMULATOR_HOST: service.host });
  return { ...service, store: await openObjectStore(GS) };
}

async function azure(answer: (asked: Asked) => Answer): Promise<Service> {
  setEnvironment({ LITESTREAM_AZURE_SAS_TOKEN: `?sv=2026&sig=${SIGNATURE}` });
  const service = await standInFor(["account.blob.core.windows.net"], answer);
  return { ...service, store: await openObjectStore(ABS) };
}

const json = (body: unknown, status = 200): Answer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const xml = (body: string, status = 200): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0" encoding="utf-8"?>${body}`,
});

const blobs = (list: string, marker = ""): Answer =>
  xml(`<EnumerationResults ServiceEndpoint="https://account.blob.core.windows.net/" ContainerName="container">
    <Prefix>tenants/</Prefix><Blobs>${list}</Blobs><NextMarker>${marker}</NextMarker></EnumerationResults>`);

const blob = (name: string, more = "", bytes = 5): string =>
  `<Blob><Name>${name}</Name>${more}<Properties><Content-Length>${bytes}</Content-Length>
    <BlobType>BlockBlob</BlobType></Properties></Blob>`;

async function everyOne(store: ObjectStore): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const object of store.list("")) found.push(object);
  return found;
}

/** An error, with all that printing it would show. */
async function refused(work: Promise<unknown>): Promise<{ readonly error: unknown; readonly shown: string }> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return { error, shown: inspect(error, { depth: Infinity, showHidden: true }) };
}

test("Google's listings are read to their end, with old versions and what is softly deleted", async () => {
  let softly: Answer = json({
    items: [{ name: "tenants/c", size: "7", generation: "3", softDeleteTime: "2026-11-22T10:00:00Z" }],
  });
  const { asked, store } = await google(({ url: { searchParams } }) => {
    if (searchParams.has("softDeleted")) return softly;
    if (searchParams.has("pageToken"))
      return json({ items: [{ name: "tenants/b", size: "6", generation: "2" }] });
    return json({ nextPageToken: "1/a&b=", items: [{ name: "tenants/a+1", size: "5", generation: "1" }] });
  });
  expect(await everyOne(store)).toEqual([
    { key: "a+1", bytes: 5 },
    { key: "b", bytes: 6 },
  ]);
  expect(asked[0]?.url.searchParams.get("prefix")).toBe("tenants/");
  expect(asked[1]?.url.searchParams.get("pageToken")).toBe("1/a&b=");
  const two = [
    { key: "a+1", bytes: 5, version: "1" },
    { key: "b", bytes: 6, version: "2" },
  ];
  expect(await objectsBelow(store, "")).toEqual([...two, { key: "c", bytes: 7, version: "3" }]);
  // Where nothing is deleted softly, and where the question is not known.
  softly = json({ error: { code: 400, message: "no such policy" } }, 400);
  expect(await objectsBelow(store, "")).toEqual(two);
  softly = json({ items: [{ name: "tenants/b", size: "6", generation: "2" }] });
  expect(await objectsBelow(store, "")).toEqual(two);
  // What cannot be removed is still found afterwards.
  await removeObjects(store, "");
  expect(asked.filter(({ method }) => method === "DELETE").map(({ url }) => url.search)).toContain(
    "?generation=2",
  );
  expect((await objectsBelow(store, "")).length).toBe(2);
});

test("of an upload to Google's, what was not kept is sent again, and what cannot be ended is given up", async () => {
  const dir = await tempFolder();
  const whole = randomBytes(20 * 1024 * 1024);
  await writeFile(join(dir, "large"), whole);
  let kept = Buffer.alloc(0);
  let goesOn = true;
  let puts = 0;
  const { asked, store } = await google(({ method, url, headers, body }) => {
    if (method === "POST") return { headers: { location: `${url.origin}/session?upload_id=secret-session` } };
    if (method === "DELETE") return { status: 499 };
    if (++puts === 2) return { status: 503 };
    const from = Number(/^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1]);
    // Of the first part only some is kept.
    if (goesOn)
      kept = Buffer.concat([kept.subarray(0, from), body.subarray(0, puts === 1 ? 256 * 1024 : undefined)]);
    if (kept.length === whole.length) return json({ name: "tenants/large" });
    return { status: 308, headers: { range: `bytes=0-${kept.length - 1}` } };
  });
  await store.put("large", join(dir, "large"));
  expect(kept.equals(whole)).toBe(true);
  expect(asked.at(-1)?.headers["content-range"]).toBe(
    `bytes ${asked.at(-1)!.body.length === 0 ? "" : 17_039_360}-20971519/20971520`,
  );
  [goesOn, kept, puts] = [false, Buffer.alloc(1), 2];
  const { error, shown } = await refused(store.put("large", join(dir, "large")));
  expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /does not go on/ });
  expect(shown).not.toContain("secret-session");
  expect(asked.at(-1)?.method).toBe("DELETE");
});

describe("Google's credentials", () => {
  test("that cannot be read are not shown", async () => {
    const path = join(await tempFolder(), "key.json");
    await writeFile(path, "SECRET-PRIVATE-KEY");
    setEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: path });
    const { error, shown } = await refused(openObjectStore(GS));
    expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /file is no JSON/ });
    expect(shown).not.toContain("SECRET");
  });

  test.skipIf(NO_OPENSSL)(
    named("make a token, and are not shown where there is none", NO_OPENSSL),
    async () => {
      let token: Answer = json({ access_token: "a-token", token_type: "Bearer", expires_in: 3600 });
      const { asked } = await standInFor(["oauth2.googleapis.com", "storage.googleapis.com"], ({ url }) =>
        url.hostname.startsWith("oauth2") ? token : json({ items: [{ name: "tenants/a", size: "1" }] }),
      );
      const { privateKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" },
      });
      const path = join(await tempFolder(), "key.json");
      const account = { type: "service_account", project_id: "project", client_email: "backup@project.test" };
      await writeFile(path, JSON.stringify({ ...account, private_key_id: "1", private_key: privateKey }));
      setEnvironment({ GOOGLE_APPLICATION_CREDENTIALS: path });
      for await (const { key } of (await openObjectStore(GS)).list("")) expect(key).toBe("a");
      expect(asked.at(-1)?.headers.authorization).toBe("Bearer a-token");
      token = json({ error: "invalid_grant", error_description: "Invalid JWT Signature." }, 400);
      const { error, shown } = await refused(objectsBelow(await openObjectStore(GS), ""));
      expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /invalid_grant/ });
      expect(shown).not.toContain("assertion");
      expect(shown).not.toContain(privateKey.split("\n")[1]);
    },
  );
});

test.skipIf(NO_OPENSSL)(
  named("Azure's listings are read to their end, and each version is removed as it can be", NO_OPENSSL),
  async () => {
    const { asked, store } = await azure(({ method, url: { searchParams } }) => {
      const include = searchParams.get("include") ?? "";
      if (method === "PUT") return { status: 201 };
      if (method === "DELETE") return { status: 202 };
      if (include === "uncommittedblobs") return blobs(blob("tenants/a") + blob("tenants/half", "", 0));
      if (searchParams.has("marker")) return blobs(blob("tenants/b+1", "<Deleted>true</Deleted>", 6));
      const versions =
        blob("tenants/a", "<VersionId>v1</VersionId>") +
        blob("tenants/a", "<VersionId>v2</VersionId><IsCurrentVersion>true</IsCurrentVersion>") +
        blob("tenants/a", "<Snapshot>s1</Snapshot>");
      return blobs(include === "" ? blob("tenants/a") : versions, "next/a&amp;b=");
    });
    expect(await everyOne(store)).toEqual([
      { key: "a", bytes: 5 },
      { key: "b+1", bytes: 6 },
    ]);
    expect(asked[0]?.url.searchParams.get("prefix")).toBe("tenants/");
    expect(asked[1]?.url.searchParams.get("marker")).toBe("next/a&b=");
    const all = await objectsBelow(store, "");
    expect(all).toEqual([
      { key: "a", bytes: 5, version: "v1" },
      { key: "a", bytes: 5, version: "current v2" },
      { key: "a", bytes: 5, version: "snapshot s1" },
      { key: "b+1", bytes: 6, version: "deleted " },
      { key: "half", bytes: 0, version: "uncommitted" },
    ]);
    const before = asked.length;
    for (const object of all) await store.remove(object);
    expect(
      asked.slice(before).map(({ method, url: { pathname, searchParams } }) => {
        const version = searchParams.get("versionid") ?? searchParams.get("snapshot") ?? "";
        return `${method} ${pathname} ${version}`.trim();
      }),
    ).toEqual([
      "DELETE /container/tenants/a v1",
      "DELETE /container/tenants/a",
      "DELETE /container/tenants/a v2",
      "DELETE /container/tenants/a s1",
      "PUT /container/tenants/half",
      "DELETE /container/tenants/half",
    ]);
  },
);

test("without a token or a key, what Azure's tools say is said, and no account is no guess", async () => {
  setEnvironment({ AZURE_TOKEN_CREDENTIALS: "EnvironmentCredential" });
  const { error } = await refused(objectsBelow(await openObjectStore(ABS), ""));
  expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /EnvironmentCredential/ });
  await expect(openObjectStore(parseReplicaUrl("abs://container/path"))).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
    message: /names no account/,
  });
});

describe.each([
  ["Google's storage", google, undefined, GS],
  ["Azure's storage", azure, NO_OPENSSL, ABS],
] as const)("%s", (where, service, missing, url) => {
  const listing =
    where === "Azure's storage" ? blobs(blob("tenants/a")) : json({ items: [{ name: "tenants/a" }] });

  test.skipIf(missing)(named("what fails and then works has worked", missing), async () => {
    let failures = 0;
    const { asked, store } = await service(({ method, url: { pathname, searchParams } }) => {
      if (failures-- > 0) return { status: 503, headers: { "retry-after": "0" } };
      if (method !== "GET") return { status: method === "DELETE" ? 202 : 201, headers: { etag: '"1"' } };
      const isList = searchParams.has("restype") || pathname.endsWith("/o");
      return isList ? listing : { body: "content", headers: { etag: '"1"', "x-goog-generation": "1" } };
    });
    const dir = await tempFolder();
    await writeFile(join(dir, "file"), "content");
    const failing = async <T>(work: () => Promise<T>): Promise<T> => {
      failures = 2;
      return work();
    };
    await failing(() => store.put("a", join(dir, "file")));
    await failing(() => store.get("a", join(dir, "back")));
    expect(await readFile(join(dir, "back"), "utf8")).toBe("content");
    await failing(() => store.remove({ key: "a", bytes: 0 }));
    expect(await failing(() => everyOne(store))).toMatchObject([{ key: "a" }]);
    const note = await openReplicaNote(url, "_owner.json");
    expect(await failing(() => note!.read())).toMatchObject({ text: "content" });
    expect(await failing(() => note!.write("text", undefined))).toBe(true);
    expect(asked).toHaveLength(6 * 3);
  });

  test.skipIf(missing)(
    named("a refusal is told at once, with its reason and without a secret", missing),
    async () => {
      const message = "The account has no right to do that";
      const { asked, store } = await service(() =>
        where === "Azure's storage"
          ? xml(
              `<Error><Code>AuthorizationFailure</Code><Message>${message}.\nRequestId:1</Message></Error>`,
              403,
            )
          : json({ error: { code: 403, message: `${message}.` } }, 403),
      );
      const dir = await tempFolder();
      await writeFile(join(dir, "file"), "content");
      const note = await openReplicaNote(url, "_owner.json");
      const works = [
        () => objectsBelow(store, ""),
        () => store.put("a", join(dir, "file")),
        () => store.get("a", join(dir, "back")),
        () => store.remove({ key: "a", bytes: 0 }),
        () => note!.read(),
        () => note!.write("text", "1"),
      ];
      for (const work of works) {
        const { error, shown } = await refused(work());
        expect(error).toMatchObject({
          code: "BACKUPS_UNAVAILABLE",
          message: expect.stringContaining(`: ${message}.`) as string,
          retryAfterSeconds: 10,
        });
        expect(shown).not.toContain(SIGNATURE);
      }
      expect(asked).toHaveLength(works.length);
    },
  );

  test.skipIf(missing)(
    named("a note that somebody else has written is not written over", missing),
    async () => {
      const { asked } = await service(() => ({ status: 412 }));
      const note = await openReplicaNote(url, "_owner.json");
      expect(await note!.write("text", undefined)).toBe(false);
      expect(await note!.write("text", "17")).toBe(false);
      const conditions = asked.map(({ headers, url: { searchParams } }) =>
        [headers["if-none-match"], headers["if-match"], searchParams.get("ifGenerationMatch")].find(Boolean),
      );
      expect(conditions).toEqual(where === "Azure's storage" ? ["*", "17"] : ["0", "17"]);
    },
  );

  test.skipIf(missing)(named("of a download that breaks off nothing is left", missing), async () => {
    const { store } = await service(() => ({
      body: "half of it",
      headers: { etag: '"1"' },
      breaksOff: true,
    }));
    const to = join(await tempFolder(), "back");
    await expect(store.get("a", to)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE" });
    expect(existsSync(to)).toBe(false);
  });
});
