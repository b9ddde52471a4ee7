// Holds the note of a prefix to being replaced only by who has seen what it says: in a folder, and in S3.
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ReplicaNote, replicaNote } from "../src/backups/replica-note.ts";
import { parseReplicaUrl } from "../src/backups/replica-url.ts";
import { faultyProxy } from "./support/faulty-proxy.ts";
import { s3Server } from "./support/s3-server.ts";
import { tempFolder } from "./support/temp-folder.ts";

const PLACES = {
  "a folder": async () => `file://${join(await tempFolder(), "replica")}`,
  S3: () => s3Server("deep/prefix"),
};

/** As many servers as are asked for see one note, each through a client of its own. */
async function notes(replica: string, count: number): Promise<ReplicaNote[]> {
  const made = Array.from({ length: count }, () => replicaNote(parseReplicaUrl(replica), "_owner.json"));
  return (await Promise.all(made)).map((note) => {
    if (!note) throw new Error("This kind of replica has a note.");
    return note;
  });
}

test.for(Object.entries(PLACES))(
  "a note in %s is written by who has seen the last one",
  async ([, place]) => {
    const [note] = await notes(await place(), 1);
    expect(await note!.read()).toBeUndefined();
    expect(await note!.write("one", undefined)).toBe(true);
    expect(await note!.write("not seen", undefined)).toBe(false);
    const first = await note!.read();
    expect(first?.text).toBe("one");
    expect(await note!.write("two", first?.tag)).toBe(true);
    expect(await note!.write("seen too long ago", first?.tag)).toBe(false);
    expect(await note!.read()).toMatchObject({ text: "two" });
  },
);

test.for(Object.entries(PLACES))("of many at once in %s one writes, time after time", async ([, place]) => {
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
