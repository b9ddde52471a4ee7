// The kill run, in short: processes of a real server are killed under load, and every write is accounted for.
import { expect, test } from "vitest";
import { killing } from "../bench/killing.ts";
import { tempFolder } from "./support/temp-folder.ts";

test(
  "kill -9 of any process, under mixed load, loses and doubles nothing",
  { timeout: 120_000 },
  async () => {
    const {
      kills,
      answers,
      acknowledged,
      unknown: _unknown,
      unknownDone: _done,
      ...rest
    } = await killing({
      folder: await tempFolder(),
      seconds: 8,
      kills: 8,
      tenants: 8,
      executors: 2,
      clients: 12,
    });
    expect(rest).toEqual({
      lost: [],
      doubled: [],
      torn: [],
      refusedDone: [],
      invented: [],
      unsound: [],
      unexpected: [],
      orphans: 0,
      exitCode: 0,
    });
    expect(kills).toEqual({ executors: 7, servers: 1 });
    expect(acknowledged).toBeGreaterThan(0);
    expect(answers["200"]).toBeGreaterThan(0);
  },
);
