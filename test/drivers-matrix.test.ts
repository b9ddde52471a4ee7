// Holds the capability matrix of docs/drivers.md to what the contract's runs are held to: every case that a driver
// is not listed for passes on it, and every one that it is listed for fails. UPDATE_DOCS=1 writes the page anew.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CONTRACT_GROUPS } from "./driver-contract.ts";
import { CONTRACT_DRIVERS } from "./support/contract-drivers.ts";

const PAGE = join(import.meta.dirname, "../docs/drivers.md");
const BEGIN = "<!-- the matrix: written by UPDATE_DOCS=1 npx vitest run test/drivers-matrix.test.ts -->";
const END = "<!-- end of the matrix -->";

const CAPABILITIES = {
  transactions: "interactive transactions",
  sessions: "sessions (Hrana's streams)",
  snapshots: "snapshots into files",
  bigint: "64-bit integers, exactly",
  bookmarks: "bookmarks of replicas",
} as const;

function row(...cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** `<` and `|` would be read as something else. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("__proto__", "`__proto__`");
}

function matrix(): string {
  const headings = CONTRACT_DRIVERS.map(({ heading }) => heading);
  const rule = row(...["", ...headings].map(() => "---"));
  const capabilities = Object.entries(CAPABILITIES).map(([name, title]) =>
    row(
      title,
      ...CONTRACT_DRIVERS.map((driver) =>
        driver.capabilities[name as keyof typeof CAPABILITIES] ? "yes" : "no",
      ),
    ),
  );
  const groups = Object.entries(CONTRACT_GROUPS).map(([group, cases]) => {
    const titles = Object.keys(cases);
    const counts = CONTRACT_DRIVERS.map(({ skips }) => titles.filter((title) => !(title in skips)).length);
    return row(group, ...counts.map((count) => `${count} of ${titles.length}`));
  });
  const differences = Object.values(CONTRACT_GROUPS)
    .flatMap((cases) => Object.keys(cases))
    .flatMap((title) => {
      const reasons = new Map<string, string[]>();
      for (const { heading, skips } of CONTRACT_DRIVERS) {
        const reason = skips[title];
        if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), heading]);
      }
      return [...reasons].map(([reason, drivers]) => row(cell(title), drivers.join(", "), cell(reason)));
    });
  return [
    BEGIN,
    "",
    row("beyond D1's API", ...headings),
    rule,
    ...capabilities,
    row(
      "writes with an Idempotency-Key, done once",
      ...CONTRACT_DRIVERS.map(({ capabilities: { transactions, once } }) =>
        transactions || once ? "yes" : "no",
      ),
    ),
    "",
    row("the contract", ...headings),
    rule,
    ...groups,
    "",
    row("what D1 does", "not so with", "but"),
    row("---", "---", "---"),
    ...differences,
    "",
    END,
  ].join("\n");
}

test("docs/drivers.md has the matrix of the contract's runs", () => {
  const page = readFileSync(PAGE, "utf8");
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  const whole = `${before}${matrix()}${after}`;
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, whole);
  expect(readFileSync(PAGE, "utf8")).toBe(whole);
});

test("each column is the run of a driver with just those exceptions", () => {
  for (const { file, run, skipsName } of CONTRACT_DRIVERS) {
    const text = readFileSync(join(import.meta.dirname, file), "utf8");
    const [, call = ""] = text.split(`driverContract("${run}"`);
    expect(call, `${file} runs the contract as "${run}"`).not.toBe("");
    expect(call.split("driverContract(")[0], run).toContain(`skips: ${skipsName},`);
  }
});
