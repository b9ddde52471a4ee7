// Owns which parameters D1 and Durable Objects take: numbers up to 2^53 are all their integers.
import { d1Error } from "../d1-error.ts";
import { bindable } from "../parameter.ts";

/** `params` as D1 takes them. @throws {TenantryError} `TYPE_ERROR` */
export function withoutBigints(params: readonly unknown[]): readonly unknown[] {
  const bound = bindable(params);
  if (!bound.some((value) => typeof value === "bigint")) return bound;
  return bound.map((value) => {
    if (typeof value !== "bigint") return value;
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return Number(value);
    throw d1Error(
      "TYPE_ERROR",
      `Type 'bigint' not supported for value '${value}'`,
      { hint: "Integers are taken up to 2^53 here. Bind larger ones as text, and CAST them." },
      "D1_TYPE_ERROR",
    );
  });
}
