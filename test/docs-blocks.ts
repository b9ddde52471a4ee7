// Owns reading the pages of the documentation: their fenced blocks, and what stands around each.
// Runs nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..");

/** A fenced block of a page. */
export interface Block {
  /** The page's path from the root of the repository. */
  readonly page: string;
  /** The line of its opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** What the block after it says that this one prints. */
  readonly output: string | undefined;
  /** Why it is not run: `<!-- not run: … -->` stands above it. */
  readonly notRun: string | undefined;
}

/** README.md and every page of docs/, by path. */
export function pages(): string[] {
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.sort().map((name) => `docs/${name}`)];
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Languages of blocks that show what the block before them prints. */
export const SHOWN: ReadonlySet<string> = new Set(["json", "text"]);

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readPage(page);
  const matches = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)];
  return matches.map((match, i) => {
    const before = text.slice(0, match.index);
    const next = matches[i + 1];
    const between = text.slice(match.index + match[0].length, next?.index);
    return {
      page,
      line: before.split("\n").length,
      language: match[1] as string,
      text: match[2] as string,
      output: next && SHOWN.has(next[1] as string) && between.trim() === "" ? next[2] : undefined,
      notRun: /<!-- not run: (.+) -->\n$/.exec(before)?.[1],
    };
  });
}
