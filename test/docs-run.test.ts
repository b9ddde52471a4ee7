// Owns that what the documentation says to type works: every sh, ts and js block of every page is run, in
// order, beside a server that was started as the README says.
//
// A line that ends with `# 404 TENANT_NOT_FOUND` is refused so, and one with `# exit 1` fails so. A json or
// text block behind another one is what that prints; `…` in it stands for anything. A ts block that begins
// with an import is the beginning of a program, and the ones behind it are its continuation.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Block, blocksOf, pages, ROOT, SHOWN } from "./docs-blocks.ts";
import { docExamples } from "./docs-examples.ts";
import { checkout, entries } from "./docs-checkout.ts";
import { NO_LITESTREAM } from "./support/litestream.ts";

/** For a page, in milliseconds: a command line for each of its commands, on a machine that is busy. */
const PAGE_TIMEOUT_MS = 600_000;

/** Why a page cannot be run on this machine; undefined where it can. */
const NEEDS: Readonly<Record<string, string | undefined>> = { "docs/backups.md": NO_LITESTREAM };

const SHELL = new Set(["sh"]);
const CODE = new Set(["ts", "js"]);

const { exports, scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  exports: Record<string, unknown>;
  scripts: Record<string, string>;
};
const imports = entries(exports);
const all = pages().flatMap(blocksOf);
const runnable = all.filter(
  ({ language, notRun }) => notRun === undefined && (SHELL.has(language) || CODE.has(language)),
);

/** A module: blocks that belong together. */
interface Program {
  readonly name: string;
  readonly source: string;
  /** What it prints, where the page says so. */
  readonly output: string | undefined;
}

/** The programs of some blocks. */
function programsOf(blocks: readonly Block[]): Program[] {
  const programs: Block[][] = [];
  for (const block of blocks) {
    if (!CODE.has(block.language)) continue;
    const current = programs.at(-1);
    if (current === undefined || block.text.startsWith("import ")) programs.push([block]);
    else current.push(block);
  }
  return programs.map((parts) => {
    const { page, line, language } = parts[0] as Block;
    const name = `${page.replaceAll(/\W/g, "-")}-${line}.${language === "ts" ? "mts" : "mjs"}`;
    const output = parts.flatMap((part) => part.output ?? []).join("");
    return { name, source: parts.map(({ text }) => text).join("\n"), output: output || undefined };
  });
}

/** Shell functions: a request is to be refused with that status and code, a command is to fail with that exit. */
const FAILING = `refused() {
  local status=$1 code=$2 out; shift 2
  if out=$("$@" 2>&1); then echo "was not refused: $out" >&2; return 1; fi
  printf '%s\\n' "$out"
  if [[ $out != *"error: $status"* || $out != *"\\"code\\":\\"$code\\""* ]]; then
    echo "is not refused with $status $code: $out" >&2; return 1
  fi
}
exits() {
  local expected=$1 code=0; shift
  "$@" 2>&1 || code=$?
  if [[ $code != $expected ]]; then echo "exits with $code" >&2; return 1; fi
}`;

/** A block as a script: each command that says how it fails is to fail so. */
function asScript(text: string): string {
  return text
    .replaceAll(
      /^(?! |#)((?:.*\\\n)*.*\S) +# ([45]\d\d [A-Z_]+)$/gm,
      (_, command, how) => `refused ${how} ${command}`,
    )
    .replaceAll(
      /^(?! |#)((?:.*\\\n)*.*\S) +# exit (\d)$/gm,
      (_, command, code) => `exits ${code} ${command}`,
    );
}

/** What `output` says, as a pattern; white space does not count. */
function patternOf(output: string): RegExp {
  const parts = output.replaceAll(/\s+/g, "").split("…");
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".*")}$`);
}

function expectOutput(printed: string, output: string | undefined, where: string): void {
  if (output === undefined) return;
  if (!patternOf(output).test(printed.replaceAll(/\s+/g, ""))) expect(printed, where).toBe(output);
}

describe.each(pages().filter((page) => runnable.some((block) => block.page === page)))("%s", (page) => {
  test.skipIf(NEEDS[page])(
    "every command and program works, and prints what the page says",
    async () => {
      await using folder = await checkout(imports);
      const blocks = runnable.filter((block) => block.page === page);

      const commands = blocks.filter(({ language }) => SHELL.has(language));
      const mark = "\u001e";
      // One shell for the page, as a reader has: what a block sets is there in the next one.
      const script = commands.map(({ text }) => `printf '\\036'\n${asScript(text)}`).join("\n");
      const { code, stdout, stderr } = await folder.shell(`${FAILING}\n${script}`);
      const printed = stdout.split(mark).slice(1);
      const last = commands[printed.length - 1];
      expect(code, `${page}:${last?.line}: ${stderr}\n${printed.at(-1)?.slice(0, 2000)}`).toBe(0);
      for (const [i, block] of commands.entries()) {
        const where = `${page}:${block.line}`;
        if (!block.text.startsWith("npm ci")) expect(printed[i]?.trim(), where).not.toBe("");
        expectOutput(printed[i] as string, block.output, where);
      }

      for (const { name, source, output } of programsOf(blocks)) {
        const { code, stdout, stderr } = await folder.node(name, source);
        expect(`${code} ${stderr}`, name).toBe("0 ");
        expectOutput(stdout, output, name);
      }
    },
    PAGE_TIMEOUT_MS,
  );
});

test("every TypeScript block, and every example of an entry's docstrings, is sound by its types", async () => {
  const dir = await mkdtemp(join(tmpdir(), "tenantry-docs-types-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
  const programs = programsOf(
    all.filter(({ language, notRun }) => language === "ts" && notRun === undefined),
  );
  const examples = docExamples(imports);
  expect(examples.map(({ name }) => name)).toContain("example-createTenantry.mts");
  for (const { name, source } of [...programs, ...examples]) await writeFile(join(dir, name), source);
  const paths = Object.fromEntries([...imports].map(([name, file]) => [name, [file]]));
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: { paths },
    include: ["*.mts", join(ROOT, "src/**/*.d.ts")],
  };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const problems = await new Promise<string>((resolve) => {
    execFile(tsc, ["-p", dir], (_, stdout, stderr) => resolve(stdout + stderr));
  });
  expect(problems).toBe("");
});

test("the README's first block is the two commands that a newcomer types", () => {
  const [first] = blocksOf("README.md");
  const typed = (first as Block).text.replaceAll(/ +#.*$/gm, "");
  expect(typed).toBe("npm ci && npm start\nnpm ci && npm test\n");
  expect(scripts).toHaveProperty("start");
  expect(scripts).toHaveProperty("test");
});

test("URLs that a shell could take for patterns are quoted", () => {
  const bare = /(?:^|\s)https?:\/\/\S*[?&*[]\S*/gm;
  const commands = all.filter(({ language }) => SHELL.has(language));
  expect(commands.flatMap(({ text }) => text.match(bare) ?? [])).toEqual([]);
});

test("every block is of a language that is run or shown, and these are not run", () => {
  const known = new Set([...SHELL, ...CODE, ...SHOWN, ""]);
  expect(all.filter(({ language }) => !known.has(language))).toEqual([]);
  const notRun = all.filter((block) => block.notRun !== undefined);
  // Somebody else's machines, and what only their runtime has.
  expect([...new Set(notRun.map(({ page, notRun }) => `${page}: ${notRun}`))]).toEqual([
    "docs/cli.md: needs an account at Cloudflare",
    "docs/deploy-cloudflare.md: serves until it is ended",
    "docs/deploy-cloudflare.md: needs the server of the step before",
    "docs/deploy-cloudflare.md: needs an account at Cloudflare",
    "docs/deploy-cloudflare.md: for the Workers runtime",
    "docs/deploy-fly.md: needs an account at Fly",
    "docs/deploy-fly.md: needs Docker",
    "docs/deploy-turso.md: it needs an account at Turso",
  ]);
});
