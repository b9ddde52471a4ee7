// Owns that `npm ci`, the README's first words, takes the lock file on every platform.
// Installs nothing.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./docs-blocks.ts";

interface Dependencies {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

interface Locked {
  readonly optionalDependencies?: Record<string, string>;
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(join(ROOT, file), "utf8")) as T;
}

const { packages } = read<{ packages: Record<string, Locked> & { "": Dependencies & Locked } }>(
  "package-lock.json",
);

/** Whether the package at `from` finds `name` in the lock file, in its own folder or in one above. */
function finds(from: string, name: string): boolean {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`]) return true;
    if (at === "") return false;
  }
}

test("the lock file is that of package.json", () => {
  const { dependencies, devDependencies } = read<Dependencies>("package.json");
  expect(packages[""]).toMatchObject({ dependencies, devDependencies });
  expect(Object.keys(packages[""].dependencies)).toEqual(Object.keys(dependencies));
  const named = Object.keys({ ...dependencies, ...devDependencies });
  expect(named.filter((name) => !finds("", name))).toEqual([]);
});

test("the lock file names the optional packages of every platform, not only those of this one", () => {
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !finds(from, name)),
  );
  expect(missing).toEqual([]);
});
