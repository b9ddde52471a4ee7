// Holds the note of a prefix to being replaced only by who has seen what it says, wherever the prefix is.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openReplicaNote } from "../src/backups/open-replica-note.ts";
import type { ReplicaNote } from "../src/backups/replica-note.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { azurite, NO_AZURITE } from "./support/azurite.ts";
import { faultyProxy } from "./support/faulty-proxy.ts";
import { gcsServer, NO_GCS } from "./support/gcs-server.ts";
import { named } from "./support/named.ts";
import { s3Server } from "./support/s3-server.ts";
import { NO_OPENSSH, openSshServer, sftpServer } from "./support/sftp-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const PLACES: readonly [string, () => Promise<string>, string | undefined][] = [
  ["a folder", async () => `file://${join(await tempFolder(), "replica")}`, undefined],
  ["S3", () => s3Server("deep/prefix"), undefined],
  ["Google's storage", () => gcsServer("deep/prefix"), NO_GCS],
  ["Azure's storage", () => azurite("deep/prefix"), NO_AZURITE],
  ["SFTP", () => sftpServer("deep/prefix"), undefined],
  ["OpenSSH's SFTP", () => openSshServer("deep/prefix"), NO_OPENSSH],
];

/** As many servers as are asked for see one note, each through a client of its own. */
async function notes(replica: string, count: number): Promise<ReplicaNote[]> {
  const made = Array.from({ length: count }, () => openReplicaNote(parseReplicaUrl(replica), "_owner.json"));
  return Promise.all(made);
}

describe.each(PLACES)("in %s", (_where, place, missing) => {
  test.skipIf(missing)(named("a note is written by who has seen the last one", missing), async () => {
    const [note] = await notes(await place(), 1);
    expect(await note!.read()).toBeUndefined();
    expect(await note!.write("one", undefined)).toBe(true);
    expect(await note!.write("not seen", undefined)).toBe(false);
    const first = await note!.read();
    expect(first?.text).toBe("one");
    expect(await note!.write("two", first?.tag)).toBe(true);
    expect(await note!.write("seen too long ago", first?.tag)).toBe(false);
    expect(await note!.read()).toMatchObject({ text: "two" });
  });

  test.skipIf(missing)(named("of many at once one writes, time after time", missing), async () => {
    const all = await notes(await place(), 8);
    let tag: string | undefined;
    for (let round = 0; round < 10; round++) {
      const before = tag;
      const wrote = await Promise.all(all.map((note, who) => note.write(`${round} by ${who}`, before)));
      const winners = [...wrote.keys()].filter((who) => wrote[who]);
      expect(winners.length, `round ${round}`).toBe(1);
      const now = await all[0]?.read();
      expect(now?.text).toBe(`${round} by ${winners[0]}`);
      tag = now?.tag;
    }
  });
});

test("who is refused by S3, or does not reach it, is told so, and never that he has written", async () => {
  const proxy = await faultyProxy(await s3Server());
  const [note] = await notes(proxy.url, 1);
  expect(await note!.write("one", undefined)).toBe(true);
  proxy.fault = { status: 403 };
  await expect(note!.read()).rejects.toThrow(/answered 403/);
  await expect(note!.write("two", undefined)).rejects.toThrow(/answered 403/);
  proxy.fault = { status: 412 };
  expect(await note!.write("two", undefined)).toBe(false);
  proxy.fault = "away";
  await expect(note!.write("two", undefined)).rejects.toThrow();
  proxy.fault = "none";
  expect(await note!.read()).toMatchObject({ text: "one" });
});
