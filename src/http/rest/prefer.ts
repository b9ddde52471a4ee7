// Owns the Prefer header: which preferences there are, and what is told back of them.
// Carries none of them out.
import { TenantryError } from "../../tenantry-error.ts";

export interface Preferences {
  readonly return?: "representation" | "minimal" | "headers-only";
  readonly count?: "exact" | "planned" | "estimated";
  readonly resolution?: "merge-duplicates" | "ignore-duplicates";
  readonly missing?: "default" | "null";
  readonly handling?: "strict" | "lenient";
  /** Rows that a PATCH or DELETE may change, with `handling=strict`. */
  readonly maxAffected?: number;
}

const ACCEPTED: Record<string, readonly string[]> = {
  resolution: ["merge-duplicates", "ignore-duplicates"],
  missing: ["default", "null"],
  return: ["representation", "minimal", "headers-only"],
  count: ["exact", "planned", "estimated"],
  handling: ["strict", "lenient"],
  tx: ["commit"],
};
/** No preferences at all. */
export const NO_PREFERENCES: Preferences = {};

/**
 * Reads a Prefer header; of a preference that is there twice the first counts.
 * @throws {TenantryError} `INVALID_ARGUMENT` for unknown ones with `handling=strict`; `UNSUPPORTED` for
 * `tx=rollback`, which to ignore would be to change what the caller asked not to change.
 */
export function parsePrefer(header: string | undefined): Preferences {
  if (header === undefined || header === "") return NO_PREFERENCES;
  const found = new Map<string, string>();
  const unknown: string[] = [];
  for (const part of header.split(",")) {
    const preference = part.trim();
    if (preference === "") continue;
    const equals = preference.indexOf("=");
    const name = preference.slice(0, Math.max(equals, 0));
    const value = preference.slice(equals + 1);
    if (preference === "tx=rollback") {
      throw new TenantryError("UNSUPPORTED", "Prefer: tx=rollback is not supported.", {
        hint: "Try it on a copy: export the tenant, and import it under another name.",
      });
    }
    const known =
      name === "max-affected"
        ? /^\d{1,15}$/.test(value)
        : Object.hasOwn(ACCEPTED, name) && ACCEPTED[name]?.includes(value);
    if (!known) unknown.push(preference);
    else if (!found.has(name)) found.set(name, value);
  }
  if (unknown.length > 0 && found.get("handling") === "strict") {
    throw new TenantryError(
      "INVALID_ARGUMENT",
      `Prefer has preferences that are not known: ${unknown.join(", ").slice(0, 200)}.`,
      { hint: "Without handling=strict they are ignored." },
    );
  }
  const maxAffected = found.get("max-affected");
  found.delete("max-affected");
  found.delete("tx");
  return {
    ...(Object.fromEntries(found) as Preferences),
    ...(maxAffected !== undefined && found.get("handling") === "strict"
      ? { maxAffected: Number(maxAffected) }
      : {}),
  };
}

/** The preferences that counted, for the `Preference-Applied` header; empty for none. */
export function appliedPreferences(preferences: Preferences, names: readonly (keyof Preferences)[]): string {
  if (preferences === NO_PREFERENCES) return "";
  return names
    .filter((name) => preferences[name] !== undefined)
    .map((name) => `${name === "maxAffected" ? "max-affected" : name}=${preferences[name]}`)
    .join(", ");
}
