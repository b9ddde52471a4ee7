// Owns the package as somebody installs it: what is in it, that it runs, and that its types are whole.
// Builds in a folder of its own, so that the checkout's dist stays as it is.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const MINUTES = 60_000;

const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
  version: string;
  exports: Record<string, { types: string; default: string } | string>;
  devDependencies: Record<string, string>;
};
const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [{ name: path.replace(".", "tenantry"), ...target }],
);

let dir: string;
let packed: string[];

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program as a person would, without what this test run has put into the environment. */
function run(command: string, args: readonly string[], cwd: string): Promise<Run> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:npm_|VITEST|NODE_ENV|NODE_OPTIONS|TENANTRY_)/.test(name),
    ),
  );
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd);
  expect(`${stdout}\n${stderr}`.slice(code === 0 ? Infinity : 0), `${command} ${args.join(" ")}`).toBe("");
  return stdout;
}

const inProject = (name: string): string => join(dir, "project", name);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tenantry-package-"));
  const source = join(dir, "source");
  await mkdir(source);
  for (const name of [
    "package.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "README.md",
    "LICENSE",
    "src",
    "migrations",
    "docs",
    "scripts",
  ]) {
    await cp(join(ROOT, name), join(source, name), { recursive: true });
  }
  // What must not be packed has to be there to be left out.
  await cp(join(ROOT, "test"), join(source, "test"), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(source, "node_modules"));
  const listed = await succeed("npm", ["pack", "--json", "--pack-destination", dir], source);
  const [{ filename, files }] = JSON.parse(listed.slice(listed.indexOf("[\n"))) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path);

  await mkdir(join(dir, "project"));
  await writeFile(inProject("package.json"), '{ "private": true, "type": "module" }');
  const types = `@types/node@${manifest.devDependencies["@types/node"]}`;
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await succeed("npm", ["install", ...options, join(dir, filename), types], join(dir, "project"));
}, 5 * MINUTES);

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

test("the package holds what is run and read, and nothing of its making", async () => {
  expect(packed).toEqual(expect.arrayContaining(["package.json", "README.md", "LICENSE", "dist/cli.js"]));
  expect(packed.some((path) => /^migrations\/\d{4}_.*\.sql$/.test(path))).toBe(true);
  for (const { types, default: code } of entries) {
    expect(packed).toContain(types.replace("./", ""));
    expect(packed).toContain(code.replace("./", ""));
  }
  expect(
    packed.filter((path) => !/^(?:dist|migrations)\/|^(?:package\.json|README\.md|LICENSE)$/.test(path)),
  ).toEqual([]);
  expect(packed.filter((path) => /(?:^|\/)(?:test|bench|fixtures)(?:\/|$)|\.test\./.test(path))).toEqual([]);
  expect(packed.filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))).toEqual([]);
  // The sources are not in the package: the maps hold them.
  const map = JSON.parse(await readFile(inProject("node_modules/tenantry/dist/cli.js.map"), "utf8")) as {
    sourcesContent?: string[];
  };
  expect(map.sourcesContent?.[0]).toContain("// Owns");
});

test("every entry can be imported", async () => {
  // The class of objects extends one that the Workers runtime alone has: test/worker-bundle.test.ts has it.
  const onNode = entries.map(({ name }) => name).filter((name) => !name.endsWith("/drivers/durable-object"));
  const program = `for (const name of ${JSON.stringify(onNode)}) {
    const names = Object.keys(await import(name));
    if (names.length === 0) throw new Error(name + " exports nothing");
  }`;
  await writeFile(inProject("entries.js"), program);
  await succeed(process.execPath, ["entries.js"], join(dir, "project"));
});

test("a program makes a tenant and asks it", async () => {
  await writeFile(
    inProject("program.js"),
    `import { createTenantry, isTenantryError, migrationSet, parseTenantId } from "tenantry";
    await using tenantry = await createTenantry({
      data: "./data",
      migrations: await migrationSet([{ name: "0001_notes.sql", sql: "CREATE TABLE notes (body TEXT)" }]),
    });
    await tenantry.lifecycle.create(parseTenantId("acme"));
    const db = tenantry.database("acme");
    await db.prepare("INSERT INTO notes VALUES (?)").bind("hello").run();
    console.log(await db.prepare("SELECT body FROM notes").first("body"));
    const answer = await tenantry.app().hono.request("/t/nobody/schema", { headers: { host: "localhost" } });
    console.log(answer.status, (await answer.json()).code);
    try { tenantry.database("../acme"); } catch (error) { console.log(isTenantryError(error, "INVALID_TENANT_ID")); }`,
  );
  const printed = await succeed(process.execPath, ["program.js"], join(dir, "project"));
  expect(printed).toBe("hello\n404 TENANT_NOT_FOUND\ntrue\n");
});

test("what a replica's storage needs besides is named where it is not there", async () => {
  const bin = inProject("node_modules/.bin/tenantry");
  for (const [replica, needed] of [
    ["s3://bucket/tenants", "aws4fetch"],
    ["gs://bucket/tenants", "google-auth-library"],
    ["abs://account@container/tenants", "@azure/storage-blob"],
  ] as const) {
    const folder = [
      "--data",
      "./storage-data",
      "--migrations",
      inProject("node_modules/tenantry/migrations"),
    ];
    await run(bin, ["tenants", "create", "acme", ...folder], join(dir, "project"));
    const { code, stderr } = await run(
      bin,
      ["erase", "acme", "--yes", "--replica", replica, ...folder],
      join(dir, "project"),
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining(`npm install ${needed}`)]);
  }
});

test("the command runs by its name", async () => {
  const bin = inProject("node_modules/.bin/tenantry");
  expect(await succeed(bin, ["--help"], join(dir, "project"))).toContain("tenantry serve");
  expect(await succeed(bin, ["--version"], join(dir, "project"))).toContain(manifest.version);
  const cli = (...args: string[]): Promise<string> =>
    succeed(
      bin,
      [...args, "--data", "./cli-data", "--migrations", inProject("node_modules/tenantry/migrations")],
      join(dir, "project"),
    );
  await cli("tenants", "create", "acme");
  expect(await cli("query", "acme", "SELECT count(*) AS n FROM customers", "--json")).toContain('"n":0');
});

test("its types are whole: a strict project checks them too", async () => {
  await writeFile(
    inProject("program.ts"),
    `import type { MiddlewareHandler } from "hono";
    import { createTenantry, type StatementResult, type Tenantry, type TenantDatabase, TenantryError } from "tenantry";
    import { type D1RestDriver, d1RestDriver } from "tenantry/drivers/d1-rest";
    import { type LibsqlDriver, libsqlDriver, tursoProvisioner } from "tenantry/drivers/libsql";
    import { type LocalDriver, localDriver } from "tenantry/drivers/local";
    import { errorResponse, type TenantEnv } from "tenantry/hono";
    import { listen, type RunningServer } from "tenantry/node";
    const driver: LocalDriver = localDriver({ dir: "./data" });
    const libsql: LibsqlDriver = libsqlDriver({
      url: "libsql://{tenant}-acme.turso.io",
      provisioner: tursoProvisioner({ org: "acme", token: "t" }),
    });
    const d1: D1RestDriver = d1RestDriver({ accountId: "a", apiToken: async () => "t" });
    const tenantry: Tenantry = await createTenantry({ data: "./data" });
    const db: TenantDatabase = tenantry.database("acme");
    const { results }: StatementResult<{ n: number }> = await db.prepare("SELECT 1 AS n").all<{ n: number }>();
    const n: number | undefined = results[0]?.n;
    const middleware: MiddlewareHandler<TenantEnv> = tenantry.middleware({ baseDomains: ["example.com"] });
    const server: RunningServer = await listen(tenantry.app().hono.fetch, { port: 0 });
    const rows: unknown[] = await tenantry.withSqlite("acme", (sqlite) => sqlite.prepare("SELECT 1").all());
    // @ts-expect-error -- there is no such option
    await createTenantry({ data: "./data", dta: 1 });
    export { d1, driver, errorResponse, libsql, middleware, n, rows, server, TenantryError };
    // Were a type any, this would not be an error.
    // @ts-expect-error -- a database is no number
    export const wrong: number = db;
    // @ts-expect-error -- rows are a list
    export const text: string = await tenantry.withSqlite("acme", (sqlite) => sqlite.prepare("SELECT 1").all());`,
  );
  await writeFile(
    inProject("tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2024",
        module: "nodenext",
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        types: ["node"],
      },
      files: ["program.ts"],
    }),
  );
  const { stdout } = await run(
    join(ROOT, "node_modules/.bin/tsc"),
    ["-p", "tsconfig.json"],
    join(dir, "project"),
  );
  // What other packages' types have wrong is theirs.
  const ours = stdout
    .split("\n")
    .filter((line) => /error TS/.test(line) && !/^node_modules\/(?!tenantry\/)/.test(line));
  expect(ours).toEqual([]);
});
