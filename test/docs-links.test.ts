// Owns that the documentation's links lead somewhere: to files of this repository and to headings in them.
// Does not ask the network.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { pages, ROOT } from "./docs-blocks.ts";

const FOLDERS = ["decisions", "bench", "examples"];

/** Every page, those of the decisions and of other folders included. */
function allPages(): string[] {
  const others = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  return [...pages(), ...others.filter((name) => name.endsWith(".md"))];
}

/** The page's text without its code. */
function proseOf(page: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  return text.replaceAll(/^```[^]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

/** The names by which a page's headings are linked to. */
function anchorsOf(page: string): Set<string> {
  const text = readFileSync(join(ROOT, page), "utf8").replaceAll(/^```[^]*?^```$/gm, "");
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("every relative link leads to a file, and to a heading where it names one", () => {
  const broken: string[] = [];
  for (const page of allPages()) {
    for (const [, target = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
      const found = existsSync(join(ROOT, file)) && (anchor === undefined || anchorsOf(file).has(anchor));
      if (!found) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("every page of docs/ is linked from the README", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  expect(pages().filter((page) => page !== "README.md" && !readme.includes(`](${page})`))).toEqual([]);
});
