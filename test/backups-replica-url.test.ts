// Owns what a replica's URL may be, where each database lies below it, and that no password is ever printed.
// Reaches no replica.
import { inspect } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseReplicaUrl, replicaPath } from "../src/backups/replica-url.ts";
import { parseTenantId } from "../src/tenant-id.ts";
import { TenantryError } from "../src/tenantry-error.ts";

const tenant = { shard: "default", id: parseTenantId("acme"), incarnation: "0f".repeat(16), backupEpoch: 3 };

test("every database has a path of its own below the prefix", () => {
  const path = replicaPath(tenant);
  expect(path).toBe(`default/acme/${"0f".repeat(16)}/3`);
  expect(parseReplicaUrl("file:///var/backups/").at(path)).toBe(`file:///var/backups/${path}`);
  expect(parseReplicaUrl("s3://bucket").at(path)).toBe(`s3://bucket/${path}`);
  const s3 = parseReplicaUrl("s3://bucket/a//b/?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=r");
  expect(s3.at(path)).toBe(`s3://bucket/a/b/${path}?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=r`);
  expect(s3.keyOf(path)).toBe(`a/b/${path}`);
  expect(parseReplicaUrl("sftp://me@host:2222/x").at("y")).toBe("sftp://me@host:2222/x/y");
});

test.each([
  ["no URL", "backups"],
  ["a scheme that there is not", "http://example.com/x"],
  ["a relative folder", "file://backups"],
  ["no folder", "file:///"],
  ["a folder with an escape", "file:///my%20backups"],
  ["a folder with a space", "file:///my backups"],
  ["a query of a folder", "file:///backups?x=1"],
  ["what Litestream would pass over", "abs://account@container/x?endpoint=https://example.com"],
  ["no bucket", "s3:///prefix"],
  ["a key in the URL", "s3://AKIA:secret@bucket/x"],
  ["no user", "sftp://host/x"],
  ["a fragment", "s3://bucket/x#y"],
  ["an unfinished address", "s3://[::1"],
])("refuses %s", (_what, url) => {
  expect(() => parseReplicaUrl(url)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", hint: expect.any(String) as string }),
  );
});

test("a password is given to Litestream, and shown to nobody", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("sftp", "s3", "abs", "gs", "file", "ftp"),
      fc.string({ minLength: 1 }).map((text) => encodeURIComponent(`Sec-ret${text}`)),
      fc.string(),
      (scheme, password, rest) => {
        let shown: string;
        try {
          const url = parseReplicaUrl(`${scheme}://me:${password}@host/x${rest}`);
          expect(url.at("y")).toContain(password);
          shown = [url, url.shown, JSON.stringify({ url }), inspect({ url })].join("\n");
        } catch (error) {
          if (!(error instanceof TenantryError)) throw error;
          shown = inspect(error);
        }
        expect(shown).not.toContain("Sec-ret");
      },
    ),
  );
});
