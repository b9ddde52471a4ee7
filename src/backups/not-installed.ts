// Owns the error where a package is missing that only some kinds of storage need.
// Loads none: who needs it imports it by name, so that bundlers and types see it.
import { TenantryError } from "../tenantry-error.ts";

/** For an import that fails. The function throws {TenantryError} `UNSUPPORTED`, which names the package. */
export function notInstalled(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new TenantryError("UNSUPPORTED", `The package ${name} is not installed.`, {
      hint: `npm install ${name}`,
      cause,
    });
  };
}
