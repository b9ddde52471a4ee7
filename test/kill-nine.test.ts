// Holds writes to their promise: what was acknowledged survives the process.
import { expect, test } from "vitest";
import { OtherProcess } from "./support/other-process.ts";
import { notesOf, tempFolder, tempTenantry } from "./support/temp-folder.ts";

test.for(["normal", "full"])(
  "a killed process loses no acknowledged write with durability %s",
  async (durability) => {
    const data = await tempFolder();
    const other = new OtherProcess(data, { durability });
    await other.do("create", "acme");
    await other.doUntil("write", 200, "acme");
    await other.kill();

    const tenantry = await tempTenantry({ data });
    const notes = await notesOf(tenantry, "acme");
    const acknowledged = other.passed.map(String);
    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(notes.slice(0, acknowledged.length)).toEqual(acknowledged);
    const { results } = await tenantry.database("acme").prepare("PRAGMA integrity_check").all();
    expect(results).toEqual([{ integrity_check: "ok" }]);
  },
);
