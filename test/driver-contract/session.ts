// Owns the cases about withSession(): D1's reads that follow one's own writes.
import { expect } from "vitest";
import type { ContractCases } from "./contract-case.ts";

export const session: ContractCases = {
  "it prepares, binds and batches as the database does": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const session = db.withSession();
    await session.prepare("INSERT INTO t VALUES (?)").bind(1).run();
    const [answer] = await session.batch([session.prepare("SELECT i FROM t")]);
    expect(answer?.results).toEqual([{ i: 1 }]);
    expect(await db.prepare("SELECT i FROM t").first("i")).toBe(1);
  },

  "its bookmark is null at first and a string after a query": async (db) => {
    for (const session of [
      db.withSession(),
      db.withSession("first-primary"),
      db.withSession("first-unconstrained"),
    ]) {
      expect(session.getBookmark()).toBeNull();
      await session.prepare("SELECT 1").all();
      expect(session.getBookmark()).toMatch(/^.+$/);
    }
  },

  "a bookmark opens a session that has seen what it stands for": async (db) => {
    await db.exec("CREATE TABLE t (i INTEGER)");
    const one = db.withSession("first-primary");
    await one.prepare("INSERT INTO t VALUES (7)").run();
    const bookmark = one.getBookmark();
    const two = db.withSession(bookmark ?? undefined);
    expect(two.getBookmark()).toBe(bookmark);
    expect(await two.prepare("SELECT i FROM t").first("i")).toBe(7);
  },
};
