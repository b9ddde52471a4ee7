// Owns refusing options that nobody knows or that make no sense, with the nearest right name.
// Knows no option by name: whoever has options says what they are.
import leven from "leven";
import * as v from "valibot";
import { TenantryError } from "./tenantry-error.ts";

/** How far a name may be from a known one to be taken for a slip, in edits. */
const MAX_SLIP = 4;

/**
 * `options`, checked against a `v.strictObject` schema.
 * @throws {TenantryError} `INVALID_OPTION`, which names the option and what would be right
 */
export function checkOptions<const S extends v.GenericSchema>(schema: S, options: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, options);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const name = v.getDotPath(issue) ?? "";
  const known = "entries" in schema ? Object.keys(schema.entries as object) : [];
  if (name !== "" && !name.includes(".") && !known.includes(name)) {
    const near = known
      .map((other) => ({ other, slip: leven(other, name) }))
      .sort((a, b) => a.slip - b.slip)[0];
    throw new TenantryError("INVALID_OPTION", `There is no option "${name}".`, {
      hint:
        near && near.slip <= MAX_SLIP
          ? `Did you mean "${near.other}"?`
          : `The options are ${known.join(", ")}.`,
    });
  }
  throw new TenantryError("INVALID_OPTION", `Option "${name}": ${issue.message}.`);
}
