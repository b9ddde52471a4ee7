// Owns options that are settings: each can also come from the environment.
// Knows no setting by name. What a single call asks for (--yes, --cursor) is no setting.
import { Option } from "commander";

const OFF: ReadonlySet<string> = new Set(["", "0", "false", "no", "off"]);

/**
 * An option that `TENANTRY_<NAME>` sets too; the command line wins. A switch is on unless the variable says
 * `0`, `false`, `no`, `off` or nothing.
 *
 * @example
 * setting("--max-open <n>", "databases open at once") // TENANTRY_MAX_OPEN
 */
export function setting(flags: string, description: string): Option {
  const option = new Option(flags, description);
  const variable = `TENANTRY_${option.name().replaceAll("-", "_").toUpperCase()}`;
  if (option.isBoolean() && isOff(process.env[variable])) return option;
  return option.env(variable);
}

/** Whether the variable of a switch is set and says no. */
export function isOff(value: string | undefined): boolean {
  return value !== undefined && OFF.has(value.toLowerCase());
}
