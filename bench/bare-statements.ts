// Owns the bare side of number 9: what a handler by hand does with a batch and with a large answer.
// Uses nothing of Tenantry.
import type Database from "better-sqlite3";
import type { Hono } from "hono";
import { INSERT, insertOf, INSERTS, READ_ROWS } from "./hrana-statements.ts";

/** What of a batch's body is looked at. */
interface SentStep {
  readonly stmt: { readonly args: readonly { readonly value: unknown }[] };
}
interface SentBatch {
  readonly requests: readonly [
    store: object,
    batch: { readonly batch: { readonly steps: readonly SentStep[] } },
  ];
}

/** Adds `/inserts` and `/rows`, which read a body, whatever it says, and `/read-inserts`, which does what it says. */
export function addBareStatements(app: Hono, sqlite: Database.Database): void {
  let insertAll: (() => void) | undefined;
  let said: Database.Statement | undefined;
  let insertSaid: ((steps: readonly SentStep[]) => void) | undefined;
  let rows: Database.Statement | undefined;
  app.post("/t/:tenant/inserts", async (c) => {
    await c.req.text();
    if (!insertAll) {
      const insert = sqlite.prepare(INSERT);
      insertAll = sqlite.transaction(() => {
        for (let n = 0; n < INSERTS; n++) insert.run(...insertOf(n));
      });
    }
    insertAll();
    return c.json({ inserted: INSERTS });
  });
  app.post("/t/:tenant/read-inserts", async (c) => {
    const { requests } = await c.req.json<SentBatch>();
    insertSaid ??= sqlite.transaction((steps: readonly SentStep[]) => {
      const insert = (said ??= sqlite.prepare(INSERT));
      for (const { stmt } of steps)
        if (stmt.args.length > 0) insert.run(...stmt.args.map(({ value }) => value));
    });
    insertSaid(requests[1].batch.steps);
    return c.json({ inserted: INSERTS });
  });
  app.post("/t/:tenant/rows", async (c) => {
    await c.req.text();
    rows ??= sqlite.prepare(READ_ROWS);
    return c.json(rows.all());
  });
}
