// The list of a batch's results says the same whether a result is written as bytes or as text.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ResultSet } from "../src/drivers/driver.ts";
import { bodyOf, joined } from "../src/hrana/json-text.ts";
import { type Done, resultText } from "../src/hrana/result-text.ts";
import { StepResults } from "../src/hrana/step-results.ts";

const rowId = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 10n ** 6n }),
);
const count = fc.oneof(fc.nat(), fc.constant(2 ** 53 - 1));
const ms = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.constantFrom(0, 0.0004, 0.0009996, 999.9999),
);
const columns = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.constant(["note"]) },
);
const verb = fc.constantFrom("INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "BEGIN", "COMMIT");
const done = fc
  .record({
    columns,
    changes: count,
    id: rowId,
    duration: ms,
    read: count,
    verb,
    explain: fc.boolean(),
    note: fc.string(),
  })
  .map(({ columns: names, changes, id, duration, read, verb: first, explain, note }): Done => {
    const meta: ResultSet["meta"] = {
      duration,
      changes,
      last_row_id: Number(id),
      changed_db: true,
      size_after: 0,
      rows_read: read,
      rows_written: changes,
    };
    const rows = names.map(() => [note.repeat(note.length > 8 ? 2_000 : 1)]);
    const details = { declaredTypes: names.map(() => null), changes, lastRowId: id };
    return {
      result: { columns: names, rows, meta, details },
      inspection: { verb: first, explain },
      wantRows: true,
      sink: undefined,
    };
  });

const read = (json: string | Uint8Array): unknown =>
  JSON.parse(typeof json === "string" ? json : new TextDecoder().decode(json));

test("results, and steps that were not run, are what they are one by one", () => {
  fc.assert(
    fc.property(fc.array(fc.option(done), { maxLength: 300 }), (steps) => {
      const results = new StepResults(steps.length);
      for (const [at, one] of steps.entries()) if (one) expect(results.add(at, one)).toBeGreaterThan(100);
      const list = read(bodyOf(joined(["[", results.end(), "]"])));
      expect(list).toEqual(steps.map((one) => (one ? read(bodyOf(resultText(one))) : null)));
    }),
  );
});
