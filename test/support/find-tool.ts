// Owns finding a program that tests can do without: by an environment variable, on PATH, or in the project's .tools/.
// Starts nothing.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const TOOLS = join(import.meta.dirname, "..", "..", ".tools");

/**
 * The program's path; undefined where it is not here. @param variable names a path of its own
 * @param more folders where it may lie besides
 */
export function findTool(name: string, variable: string, more: readonly string[] = []): string | undefined {
  const named = process.env[variable];
  const places = named
    ? [named]
    : [...(process.env["PATH"] ?? "").split(delimiter).filter(Boolean), TOOLS, ...more].map((dir) =>
        join(dir, name),
      );
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
