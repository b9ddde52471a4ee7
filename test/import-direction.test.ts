// Owns the direction of imports: the order of the rooms as data, and that no file goes against it or in a circle.
// What each room owns, and what it never does, is the rooms' own first lines'.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");

/**
 * The rooms from the top down. A room imports from itself and from rooms of lower lines, by type too: rooms of
 * one line do not know each other. A longer path wins over the room that it lies in.
 */
const ROOMS: readonly (readonly string[])[] = [
  // the entries of the package and of its processes, and what the processes are
  [
    "index.ts",
    "hono.ts",
    "node.ts",
    "driver-local.ts",
    "driver-d1.ts",
    "driver-d1-rest.ts",
    "driver-durable-object.ts",
    "worker.ts",
    "driver-libsql.ts",
    "cli.ts",
    "executors/executor-entry.ts",
  ],
  ["cli", "executors/executor-main.ts"],
  // what puts the rooms together
  ["tenantry.ts", "worker-tenantry.ts"],
  ["server-options.ts", "open-catalog-file.ts"],
  ["http"],
  ["observe"],
  ["backups"],
  ["tenants", "executors", "objects", "copy"],
  ["tenantry-options.ts"],
  ["handle-cache", "migrations", "catalog", "database", "auth", "sample", "hrana"],
  ["drivers"],
  ["sql"],
  [
    "tenant-id.ts",
    "check-options.ts",
    "compile-cache.ts",
    "event-loop-turn.ts",
    "fifo-lock.ts",
    "free-bytes.ts",
    "given-options.ts",
    "recent-map.ts",
    "shutting-down.ts",
  ],
  ["tenantry-error.ts"],
];

/** Upward imports that are meant, each with its reason. */
const EXCEPTIONS: Readonly<
  Record<string, { readonly imports: readonly string[]; readonly because: string }>
> = {
  "executors/executor-settings.ts": {
    imports: ["http/app-options.ts"],
    because: "types only: it says which options of the whole an executor process is given",
  },
};

/** Rooms that are also bundled for Workers, where there is no `node:`, and their files that are for Node. */
const PORTABLE_ROOMS: readonly string[] = [
  "http",
  "catalog",
  "database",
  "sql",
  "auth",
  "migrations",
  "hrana",
];
const FOR_NODE: ReadonlySet<string> = new Set([
  "http/control-socket.ts",
  "http/dump-source.ts",
  "http/file-routes.ts",
  "http/listen.ts",
  "http/open-socket.ts",
  "http/upgrades.ts",
  "migrations/read-migrations.ts",
]);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => path.replaceAll("\\", "/"))
  .toSorted();
const texts = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));
const imports = [...texts].flatMap(([file, text]) => importsOf(file, text));

function importsOf(file: string, text: string): Import[] {
  // Statements begin a line, and a comment that speaks of one does not.
  const statements = text.matchAll(/^(?:import|export)\s(?<what>[^;]*?\sfrom\s)?\s*"(?<to>[^"]+)"/gm);
  const dynamic = text.matchAll(/\bimport\(\s*"(?<to>[^"]+)"\s*\)/g);
  return [...statements, ...dynamic].map(({ groups }) => {
    const { what = "", to = "" } = groups ?? {};
    const target = to.startsWith(".")
      ? relative(SRC, join(SRC, dirname(file), to)).replaceAll("\\", "/")
      : to;
    return { from: file, to: target, typeOnly: /^type\s/.test(what) };
  });
}

/** The room of a file and its line in the table, 0 at the top. */
function placeOf(file: string): { readonly room: string; readonly line: number } | undefined {
  const places = ROOMS.flatMap((rooms, line) => rooms.map((room) => ({ room, line })));
  return places
    .filter(({ room }) => file === room || file.startsWith(`${room}/`))
    .toSorted((a, b) => b.room.length - a.room.length)[0];
}

test("every file is in a room of the table", () => {
  expect(files.filter((file) => placeOf(file) === undefined)).toEqual([]);
});

test("imports point down the table", () => {
  const upward = imports.flatMap(({ from, to }) => {
    if (!texts.has(to)) return [];
    const above = placeOf(from);
    const below = placeOf(to);
    if (above === undefined || below === undefined || above.room === below.room) return [];
    if (above.line < below.line || EXCEPTIONS[from]?.imports.includes(to)) return [];
    return [`${from} imports ${to}: the room ${above.room} may not know ${below.room}`];
  });
  expect(upward).toEqual([]);
});

test("an exception is one that is still needed, and needs types only", () => {
  for (const [from, { imports: meant }] of Object.entries(EXCEPTIONS)) {
    const found = imports.filter((one) => one.from === from && meant.includes(one.to));
    expect(found.map(({ to }) => to).toSorted(), from).toEqual(meant.toSorted());
    expect(found.every(({ typeOnly }) => typeOnly)).toBe(true);
  }
});

test("every import within src names a file that is there", () => {
  const lost = imports.filter(({ to }) => to.endsWith(".ts") && !texts.has(to));
  expect(lost.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("no file imports itself, by whatever way round", () => {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (texts.has(to) && !(typeOnly && EXCEPTIONS[from]?.imports.includes(to))) {
      next.set(from, [...(next.get(from) ?? []), to]);
    }
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (done.has(file) || path.includes(file)) return;
    for (const other of next.get(file) ?? []) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test("what is bundled for Workers imports nothing of Node's", () => {
  const portable = imports.filter(
    ({ from }) => PORTABLE_ROOMS.some((room) => from.startsWith(`${room}/`)) && !FOR_NODE.has(from),
  );
  const nodes = portable.filter(
    ({ to, typeOnly }) =>
      !typeOnly && (to.startsWith("node:") || to === "better-sqlite3" || FOR_NODE.has(to)),
  );
  expect(nodes.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  for (const file of FOR_NODE) {
    expect(
      imports.some(({ from, to }) => from === file && to.startsWith("node:")),
      `${file} needs Node`,
    ).toBe(true);
  }
});

test("every file opens by saying what it owns", () => {
  const silent = [...texts]
    .filter(([, text]) => !/^(?:#![^\n]*\n)?\/\/ \S.*\n/.test(text))
    .map(([file]) => file);
  expect(silent).toEqual([]);
});
