// Owns what an INSERT with more parameters than a statement takes has to do, on the databases that divide it.
// Opens none.
import { expect } from "vitest";
import type { TenantDatabase } from "../../src/database/tenant-database.ts";

/** 250 rows by one statement, alone and in a batch; and none where one of them cannot be. */
export async function expectDivided(db: TenantDatabase): Promise<void> {
  const count = (): Promise<unknown> => db.prepare("SELECT count(*) AS n FROM notes").first("n");
  const insert = (ids: readonly number[], tail = "") =>
    db
      .prepare(`INSERT INTO notes (id, body) VALUES ${ids.map(() => "(?, ?)").join(", ")}${tail}`)
      .bind(...ids.flatMap((id) => [id, `note ${id}`]));
  const some = (from: number): number[] => Array.from({ length: 250 }, (_, n) => from + n);
  const { meta, results } = await insert(some(1), " RETURNING id").run();
  expect(meta).toMatchObject({ changes: 250, last_row_id: 250 });
  expect(results.map((row) => row["id"])).toEqual(some(1));
  await expect(insert([...some(1001), 7]).run()).rejects.toMatchObject({ code: "CONSTRAINT" });
  expect(await count()).toBe(250);
  const [one, many, counted] = await db.batch([
    db.prepare("DELETE FROM notes WHERE id <= ?").bind(50),
    insert(some(2001)),
    db.prepare("SELECT count(*) AS n FROM notes"),
  ]);
  expect([one?.meta.changes, many?.meta.changes, counted?.results]).toEqual([50, 250, [{ n: 450 }]]);
}
