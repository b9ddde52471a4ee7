// Holds what is kept at an SFTP server to whole objects and honest answers, whatever its connection and the server do.
import { randomBytes } from "node:crypto";
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { ObjectStore } from "../src/backups/object-store.ts";
import { openObjectStore } from "../src/backups/open-object-store.ts";
import { openReplicaNote } from "../src/backups/open-replica-note.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { type SftpConnection, sftpConnection } from "../src/backups/sftp-connection.ts";
import { until } from "./backups-litestream.ts";
import { named } from "./support/named.ts";
import { FULL, NO_OPENSSH, openSshServer, sftpServer } from "./support/sftp-server.ts";
import { tcpRelay } from "./support/tcp-relay.ts";
import { tempFolder } from "./support/temp-folder.ts";

const SERVERS: readonly [string, () => Promise<string>, string | undefined][] = [
  ["a server without extensions", () => sftpServer("deep/prefix"), undefined],
  ["OpenSSH's", () => openSshServer("deep/prefix"), NO_OPENSSH],
];

async function keys(store: ObjectStore, prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found.toSorted();
}

async function file(content: string | Buffer = "content"): Promise<string> {
  const path = join(await tempFolder(), "file");
  await writeFile(path, content);
  return path;
}

/** Everything that is there, folders too. */
async function everything(connection: SftpConnection, folder = "."): Promise<string[]> {
  const entries = (await connection((sftp) => sftp.entries(folder))) ?? [];
  const found = entries.map(async ({ name, isFolder }) => {
    const path = folder === "." ? name : `${folder}/${name}`;
    return isFolder ? [path, ...(await everything(connection, path))] : [path];
  });
  return (await Promise.all(found)).flat().toSorted();
}

describe.each(SERVERS)("at %s", (_which, server, missing) => {
  const here = test.skipIf(missing);

  here(named("many objects of many folders come back, and large ones", missing), async () => {
    const store = await openObjectStore(parseReplicaUrl(await server()));
    const [small, dir] = [await file(), await tempFolder()];
    const large = await file(randomBytes(3_000_001));
    const names = Array.from({ length: 250 }, (_, n) => `tenant-${n % 10}/${n % 3}/ltx/${n}`);
    await Promise.all(names.map((key) => store.put(key, small)));
    expect(await keys(store)).toEqual(names.toSorted());
    expect(await keys(store, "tenant-1/")).toEqual(
      names.filter((key) => key.startsWith("tenant-1/")).toSorted(),
    );
    expect(await keys(store, "tenant-1/2/l")).toHaveLength(8);
    await store.put("large", large);
    await store.get("large", join(dir, "large"));
    expect((await readFile(join(dir, "large"))).equals(await readFile(large))).toBe(true);
    await store.put("large", small);
    await store.get("large", join(dir, "small"));
    expect(await readFile(join(dir, "small"), "utf8")).toBe("content");
    await store.put("empty", await file(""));
    await store.get("empty", join(dir, "empty"));
    expect(await readFile(join(dir, "empty"), "utf8")).toBe("");
    await expect(store.get("none", join(dir, "none"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await readdir(dir)).toSorted()).toEqual(["empty", "large", "small"]);
  });

  here(named("of what is removed not even folders stay, and what is beside it does", missing), async () => {
    const url = parseReplicaUrl(await server());
    const store = await openObjectStore(url);
    for (const key of ["shard/acme/a/1", "shard/acme/b/2", "shard/acme-2/c"]) {
      await store.put(key, await file());
    }
    const objects = await keys(store, "shard/acme/");
    await Promise.all(objects.map((key) => store.remove({ key, bytes: 0 })));
    const root = url.keyOf("");
    expect(await everything(await sftpConnection(url), root)).toEqual([
      `${root}/shard`,
      `${root}/shard/acme-2`,
      `${root}/shard/acme-2/c`,
    ]);
    await store.remove({ key: "shard/acme-2/c", bytes: 7 });
    expect(await everything(await sftpConnection(url), root)).toEqual([]);
  });

  here(named("a connection that has been cut is begun anew, without a word", missing), async () => {
    const relay = await tcpRelay(await server());
    const store = await openObjectStore(parseReplicaUrl(relay.url));
    await store.put("before", await file());
    relay.cut();
    await Promise.all([store.put("after/1", await file()), store.put("after/2", await file())]);
    expect(await keys(store)).toEqual(["after/1", "after/2", "before"]);
    relay.cut();
    expect(await keys(store)).toHaveLength(3);
    expect(relay.count.begun).toBe(3);
  });

  here(
    named("an upload that breaks off leaves no object, and what was there as it was", missing),
    async () => {
      const relay = await tcpRelay(await server());
      const url = parseReplicaUrl(relay.url);
      const store = await openObjectStore(url);
      await store.put("acme/one", await file("old"));
      const large = await file(randomBytes(2_000_000));
      for (const key of ["acme/one", "acme/two"]) {
        relay.cut();
        // The kept connection is found broken, the next one breaks in the middle.
        relay.breakAfterBytes = 1_000_000;
        await expect(store.put(key, large)).rejects.toMatchObject({ code: "BACKUPS_UNAVAILABLE" });
        relay.breakAfterBytes = Number.POSITIVE_INFINITY;
      }
      const there = await keys(store);
      expect(there.filter((key) => !key.endsWith(".partial"))).toEqual(["acme/one"]);
      await store.get("acme/one", join(await tempFolder(), "one"));
      // A listing shows what is unfinished, so that erasing removes it.
      for (const key of there) await store.remove({ key, bytes: 0 });
      expect(await everything(await sftpConnection(url), url.keyOf(""))).toEqual([]);
    },
  );

  here(
    named("a note that is being written is waited for, and not for a writer that has died", missing),
    async () => {
      const url = parseReplicaUrl(await server());
      const [note, connection] = [await openReplicaNote(url, "_owner.json"), await sftpConnection(url)];
      expect(await note.write("one", undefined)).toBe(true);
      // Another one has taken the next number, and has written nothing yet.
      const second = url.keyOf("_owner.json/2");
      const begun = await connection((sftp) => sftp.create(second));
      const read = note.read();
      await begun?.write(Buffer.from("two\n"), 0);
      expect(await read).toMatchObject({ text: "two" });
      await begun?.close();

      const third = await connection((sftp) => sftp.create(url.keyOf("_owner.json/3")));
      const late = await note.read();
      expect(late?.text).toBe("two");
      // It was not dead.
      await third?.write(Buffer.from("three\n"), 0);
      await third?.close();
      expect(await note.write("over three", late?.tag)).toBe(false);
      const unseen = await note.read();
      expect(unseen?.text).toBe("three");
      // And it is dead.
      expect(await note.write("five", unseen?.tag)).toBe(true);
      expect(await note.write("late", "2")).toBe(false);
      for (let n = 6; n < 20; n++) expect(await note.write(`${n}`, (await note.read())?.tag)).toBe(true);
      expect(await note.write("far too late", "2")).toBe(false);
      expect((await note.read())?.text).toBe("19");
      const versions = await connection((sftp) => sftp.entries(url.keyOf("_owner.json")));
      expect(versions?.length).toBeLessThan(8);
    },
  );
});

test("a server that does not answer is not waited for for ever, neither at first nor later", async () => {
  const relay = await tcpRelay(await sftpServer());
  const url = parseReplicaUrl(relay.url);
  const unavailable = { code: "BACKUPS_UNAVAILABLE", retryAfterSeconds: 10 };
  const connection = await sftpConnection(url, { connectTimeoutMs: 300, answerTimeoutMs: 300 });
  relay.isSilent = true;
  await expect(connection((sftp) => sftp.entries("."))).rejects.toMatchObject({
    ...unavailable,
    message: /no answer|Timed out/,
  });
  relay.isSilent = false;
  const slow = await sftpConnection(url, { answerTimeoutMs: 2_000 });
  await slow((sftp) => sftp.makeFolder("here"));
  relay.isSilent = true;
  await expect(slow((sftp) => sftp.entries("here"))).rejects.toMatchObject({
    ...unavailable,
    message: /no answer within 2 s/,
  });
  relay.isSilent = false;
  expect(await slow((sftp) => sftp.entries("here"))).toEqual([]);
});

test("while the disk there is full nothing is half written, and afterwards it goes on", async () => {
  const url = parseReplicaUrl(await sftpServer());
  const store = await openObjectStore(url);
  const [note, connection] = [await openReplicaNote(url, "_owner.json"), await sftpConnection(url)];
  expect(await note.write("one", undefined)).toBe(true);
  await connection((sftp) => sftp.create(FULL));
  const full = { code: "BACKUPS_UNAVAILABLE", message: /"write .*" was answered "Failure"/ };
  await expect(store.put("acme/1", await file())).rejects.toMatchObject(full);
  for (let n = 0; n < 3; n++) await expect(note.write("two", "1")).rejects.toMatchObject(full);
  expect(await keys(store)).toEqual(["_owner.json/1"]);
  await connection((sftp) => sftp.remove(FULL));
  await store.put("acme/1", await file());
  expect(await note.write("two", "1")).toBe(true);
  expect(await keys(store)).toEqual(["_owner.json/1", "_owner.json/2", "acme/1"]);
});

test("a connection that nobody uses is ended, and the next use begins another", async () => {
  const relay = await tcpRelay(await sftpServer());
  const connection = await sftpConnection(parseReplicaUrl(relay.url), { idleMs: 50 });
  await connection((sftp) => sftp.entries("."));
  await until("it is ended", async () => relay.count.open === 0 || undefined);
  await connection((sftp) => sftp.entries("."));
  expect(relay.count.begun).toBe(2);
});

/** What a process of its own prints that has a `store` there. */
async function inProcess(url: string, program: string, ...options: string[]): Promise<string> {
  const source = (name: string): string => JSON.stringify(join(import.meta.dirname, "../src/backups", name));
  const begin = `
    const { openObjectStore } = await import(${source("open-object-store.ts")});
    const { parseReplicaUrl } = await import(${source("replica-url.ts")});
    const open = () => openObjectStore(parseReplicaUrl(process.env.URL));`;
  const args = [...options, "--input-type=module", "--eval", begin + program];
  const env = { ...process.env, URL: url, FILE: await file() };
  return (await promisify(execFile)(process.execPath, args, { env, timeout: 25_000 })).stdout;
}

test("a process that has used one ends", async () => {
  const program = `
    const store = await open();
    await store.put("a", process.env.FILE);
    for await (const { key } of store.list("")) console.log(key);`;
  expect(await inProcess(await sftpServer(), program)).toBe("a\n");
});

test("without the package that it needs it says which that is", async () => {
  const none = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(name, context, next) {
        if (name === "ssh2") throw new Error("There is no such package.");
        return next(name, context);
      },
    });`;
  const program = `await open().catch(({ code, hint }) => console.log(code, hint));`;
  const options = ["--import", `data:text/javascript,${encodeURIComponent(none)}`];
  expect(await inProcess("sftp://me@127.0.0.1:1/path", program, ...options)).toBe(
    "UNSUPPORTED npm install ssh2\n",
  );
});

test("who is refused is told so, and never with the password", async () => {
  const right = await sftpServer();
  const wrong = right.replace(/:[^:@]*@/, ":wr%3Fng-secret@");
  const store = await openObjectStore(parseReplicaUrl(wrong));
  const error = await keys(store).catch((refused: unknown) => refused);
  expect(error).toMatchObject({ code: "BACKUPS_UNAVAILABLE", message: /the password is refused/ });
  expect(JSON.stringify([error, String(error)])).not.toMatch(/wr\?ng|wr%3Fng/);
  const nobody = await openObjectStore(parseReplicaUrl(right.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1")));
  await expect(keys(nobody)).rejects.toMatchObject({
    code: "BACKUPS_UNAVAILABLE",
    message: /ECONNREFUSED/,
  });
});
