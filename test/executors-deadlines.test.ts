// Holds time limits to what they promise: who runs past one is ended and told so, and nobody else notices.
import { expect, test } from "vitest";
import { expectError, runningServer, valueOf } from "./support/running-server.ts";

const ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

test("a statement without end is ended at its time limit, and the tenant is served again", async () => {
  const server = await runningServer({ executors: { executors: 1, statementTimeoutMs: 500 } });
  expectError(await server.query("acme", ENDLESS), "STATEMENT_TIMEOUT");
  expect(valueOf(await server.query("acme", "SELECT 1"))).toBe(1);
});
