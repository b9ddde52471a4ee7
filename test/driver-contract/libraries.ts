// Owns the cases about libraries that were written for D1: they run unchanged on every driver.
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type Generated, Kysely } from "kysely";
import { D1Dialect } from "kysely-d1";
import { expect } from "vitest";
import type { ContractCases } from "./contract-case.ts";

const people = sqliteTable("people", {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull(),
  admin: integer({ mode: "boolean" }).notNull().default(false),
  seen: integer({ mode: "timestamp_ms" }),
});

const CREATE =
  "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0, seen INTEGER)";

interface Schema {
  people: { id: Generated<number>; name: string; admin: Generated<number>; seen: number | null };
}

export const libraries: ContractCases = {
  "drizzle-orm/d1 writes, reads, joins and batches": async (database) => {
    await database.exec(CREATE);
    const db = drizzle(database);
    const seen = new Date(1_700_000_000_123);
    const [ada] = await db.insert(people).values({ name: "Ada", admin: true, seen }).returning();
    expect(ada).toEqual({ id: 1, name: "Ada", admin: true, seen });
    const [inserted, counted] = await db.batch([
      db
        .insert(people)
        .values([{ name: "Bob" }, { name: "Cy" }])
        .returning({ id: people.id }),
      db.select({ n: sql<number>`count(*)` }).from(people),
    ]);
    expect([inserted, counted]).toEqual([[{ id: 2 }, { id: 3 }], [{ n: 3 }]]);
    await db.update(people).set({ name: "Bo" }).where(eq(people.id, 2));
    await db.delete(people).where(eq(people.name, "Cy"));
    expect(
      await db.select({ name: people.name, admin: people.admin }).from(people).orderBy(people.id),
    ).toEqual([
      { name: "Ada", admin: true },
      { name: "Bo", admin: false },
    ]);
    expect(await db.get(sql`SELECT max(id) AS id FROM people`)).toEqual({ id: 2 });
    await expect(db.insert(people).values({ id: 1, name: "again" })).rejects.toThrow();
  },

  "kysely-d1 writes, reads and counts": async (database) => {
    await database.exec(CREATE);
    const db = new Kysely<Schema>({ dialect: new D1Dialect({ database }) });
    expect(
      await db.insertInto("people").values({ name: "Ada", seen: 5 }).returningAll().executeTakeFirst(),
    ).toEqual({
      id: 1,
      name: "Ada",
      admin: 0,
      seen: 5,
    });
    const result = await db
      .insertInto("people")
      .values([{ name: "Bob" }, { name: "Cy" }])
      .executeTakeFirst();
    expect(result.numInsertedOrUpdatedRows).toBe(2n);
    const changed = await db.updateTable("people").set({ admin: 1 }).where("id", ">", 1).executeTakeFirst();
    expect(changed.numUpdatedRows).toBe(2n);
    expect(
      await db.selectFrom("people").select(["name"]).where("admin", "=", 1).orderBy("name").execute(),
    ).toEqual([{ name: "Bob" }, { name: "Cy" }]);
    await db.destroy();
  },
};
