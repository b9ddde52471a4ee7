// Owns `tenantry token`: making, listing, ending and replacing credentials.
// Keeps no secret: the catalog has hashes, and a signed token is recorded nowhere.
import { chmod, readFile, writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { createApiKey } from "../auth/api-key.ts";
import { parseScope, type Scope, SCOPES } from "../auth/caller.ts";
import { exportSigningKey, generateSigningKey, importSigningKey } from "../auth/signing-key.ts";
import { issueToken } from "../auth/token.ts";
import type { KeyRecord } from "../catalog/key-table.ts";
import { MAX_PAGE_LIMIT } from "../catalog/page-cursor.ts";
import { exists } from "../drivers/local/database-file.ts";
import { parseTenantId } from "../tenant-id.ts";
import { findTenant } from "../tenants/find-tenant.ts";
import type { Cli } from "./cli.ts";
import { examples } from "./examples.ts";
import { momentText, parseDurationSeconds, wholeNumber } from "./quantity.ts";
import { WrongUse } from "./report-error.ts";
import { setting } from "./setting.ts";
import { tableLines } from "./text-table.ts";

/** How long a rotated key goes on working unless `--grace` says otherwise. */
export const DEFAULT_ROTATE_GRACE_SECONDS = 3600;

interface CreateOptions {
  readonly tenant?: string;
  readonly scope: Scope;
  readonly expires?: number;
  readonly label?: string;
  readonly jwt?: true;
  readonly signingKey?: string;
  readonly quiet?: true;
}

/** Adds `token`. */
export function tokenCommand(program: Command, cli: Cli): void {
  const token = program.command("token").description("credentials for the server: keys, and signed tokens");

  token
    .command("create")
    .description("make a key, or with --jwt a signed token; its secret is printed once")
    .option("--tenant <tenant>", "the tenant that it opens (default: all tenants)")
    .addOption(new Option("--scope <scope>", "what it allows").choices(SCOPES).makeOptionMandatory())
    .option("--expires <duration>", "when it ends: 12h, 30d, 1y (default: never)", parseDurationSeconds)
    .option("--label <text>", "what it is for")
    .option("--jwt", "a signed token (Ed25519), which is recorded nowhere and cannot be revoked")
    .addOption(setting("--signing-key <file>", "the private key for --jwt: see token keygen"))
    .option("-q, --quiet", "print the secret and nothing else")
    .addHelpText(
      "after",
      examples([
        ["tenantry token create --tenant acme --scope read --expires 30d", "a key that reads acme"],
        ["tenantry token create --scope admin --label deploys", "a key for everything"],
        ["KEY=$(tenantry token create -q --tenant acme --scope write)", "in a script"],
      ]),
    )
    .action((options: CreateOptions) => (options.jwt ? createJwt(cli, options) : createKey(cli, options)));

  token
    .command("list")
    .alias("ls")
    .description("list keys, without their secrets")
    .option("--tenant <tenant>", "only keys of this tenant")
    .option(
      "--limit <n>",
      `keys of a page, up to ${MAX_PAGE_LIMIT} (default: 100)`,
      wholeNumber(1, MAX_PAGE_LIMIT),
    )
    .option("--cursor <cursor>", "the page after the one that printed this cursor")
    .action((options: { tenant?: string; limit?: number; cursor?: string }) => listKeys(cli, options));

  token
    .command("revoke")
    .description("end a key at once")
    .argument("<key>", "its id, as token list shows it")
    .action((id: string) =>
      cli.use({}, async ({ catalog }) => {
        const key = await catalog.revokeKey(id, cli.actor);
        await (cli.screen.json ? cli.screen.printJson(shown(key)) : cli.screen.print(`revoked ${key.id}`));
      }),
    );

  token
    .command("rotate")
    .description("replace a key; the old one goes on working for a while")
    .argument("<key>", "its id, as token list shows it")
    .option("--grace <duration>", "how long the old one works (default: 1h)", parseDurationSeconds)
    .option("--at-once", "end the old one now")
    .option("-q, --quiet", "print the secret and nothing else")
    .action((id: string, options: { grace?: number; atOnce?: true; quiet?: true }) =>
      cli.use({}, async ({ catalog }) => {
        const { secret, hash } = await createApiKey();
        const grace = options.atOnce ? 0 : (options.grace ?? DEFAULT_ROTATE_GRACE_SECONDS);
        const key = await catalog.rotateKey(id, hash, grace, cli.actor);
        await printKey(cli, key, secret, options.quiet);
      }),
    );

  token
    .command("generate")
    .description("make a key that is recorded nowhere: a Worker's first, kept as its secret")
    .action(async () => {
      const { secret } = await createApiKey();
      await (cli.screen.json ? cli.screen.printJson({ secret }) : cli.screen.print(secret));
    });

  token
    .command("keygen")
    .description("make a pair of keys for signed tokens")
    .option(
      "-o, --output <file>",
      "the private key's file; the public one is beside it, with .pub",
      "signing-key.pem",
    )
    .addHelpText(
      "after",
      examples([["tenantry token create --jwt --signing-key signing-key.pem --scope read", "sign with it"]]),
    )
    .action(({ output }: { output: string }) => keygen(cli, output));
}

async function createKey(cli: Cli, { tenant, scope, expires, label, quiet }: CreateOptions): Promise<void> {
  await cli.use({}, async ({ catalog }) => {
    if (tenant !== undefined) refuseAdminOverOne(scope);
    const { secret, hash } = await createApiKey();
    const key = await catalog.addKey(
      {
        hash,
        tenant: tenant === undefined ? null : parseTenantId(tenant),
        scope,
        label,
        expiresAt: expires === undefined ? null : Date.now() + expires * 1000,
      },
      cli.actor,
    );
    await printKey(cli, key, secret, quiet);
  });
}

async function createJwt(
  cli: Cli,
  { tenant, scope, expires, label, signingKey, quiet }: CreateOptions,
): Promise<void> {
  if (signingKey === undefined) {
    throw new WrongUse(
      "A signed token needs a private key.",
      "Make one with: tenantry token keygen; then --signing-key FILE",
    );
  }
  const key = await importSigningKey(await readFile(signingKey, "utf8"));
  const sign = (id?: string, incarnation?: string): Promise<string> =>
    issueToken({
      scope: parseScope(scope),
      expiresInSeconds: expires ?? null,
      key,
      ...(id !== undefined && { tenant: id }),
      ...(incarnation !== undefined && { incarnation }),
      ...(label !== undefined && { subject: label }),
    });
  const secret =
    tenant === undefined
      ? await sign()
      : await cli.use({}, async ({ catalog }) => {
          const id = parseTenantId(tenant);
          const record = await findTenant(catalog, id);
          return sign(id, record.incarnation);
        });
  const { screen } = cli;
  const expiresAt = expires === undefined ? null : Date.now() + expires * 1000;
  if (quiet) return screen.print(secret);
  if (screen.json)
    return screen.printJson({ token: secret, tenant: tenant ?? null, scope, expiresAt, keyId: key.id });
  await screen.print(secret);
  screen.note(
    `A token for ${whom(tenant ?? null)}: ${scope}, ${untilText(expiresAt)}. The server needs the public key.`,
  );
}

async function printKey(cli: Cli, key: KeyRecord, secret: string, quiet = false): Promise<void> {
  const { screen } = cli;
  if (quiet) return screen.print(secret);
  if (screen.json) return screen.printJson({ ...shown(key), secret });
  await screen.print(secret);
  screen.note(`Key ${key.id} for ${whom(key.tenant)}: ${key.scope}, ${untilText(key.expiresAt)}.`);
  screen.note("It is not shown again. Send it as: Authorization: Bearer …");
}

async function listKeys(
  cli: Cli,
  { tenant, limit, cursor }: { tenant?: string; limit?: number; cursor?: string },
): Promise<void> {
  const { screen } = cli;
  await cli.use({}, async ({ catalog }) => {
    const page = await catalog.listKeys({
      limit,
      cursor,
      ...(tenant !== undefined && { tenant: parseTenantId(tenant) }),
    });
    if (screen.json) return screen.printJson({ keys: page.keys.map(shown), cursor: page.cursor });
    if (page.keys.length === 0) return screen.note("No keys.");
    const now = Date.now();
    const lines = tableLines(
      [
        { header: "KEY", whole: true },
        { header: "TENANT" },
        { header: "SCOPE", whole: true },
        { header: "STATE", whole: true },
        { header: "EXPIRES (UTC)", whole: true },
        { header: "LABEL" },
      ],
      page.keys.map((key) => [
        key.id,
        key.tenant ?? "(all)",
        key.scope,
        stateOf(key, now),
        momentText(key.expiresAt),
        key.label,
      ]),
      {
        width: screen.width,
        styleHeader: (text) => screen.style("bold", text),
        styleCell: (text, _, column) =>
          column === 3 ? screen.style(text === "usable" ? "green" : "yellow", text) : text,
      },
    );
    await screen.print(lines.join("\n"));
    if (page.cursor !== null) screen.note(`There are more: --cursor ${page.cursor}`);
  });
}

async function keygen({ screen }: Cli, file: string): Promise<void> {
  const publicFile = `${file}.pub`;
  for (const path of [file, publicFile]) {
    if (await exists(path)) throw new WrongUse(`${path} is there already.`, "Name another file with -o.");
  }
  const { privateKey, publicKey } = await exportSigningKey(await generateSigningKey());
  await writeFile(file, `${privateKey.trim()}\n`, { mode: 0o600, flag: "wx" });
  await chmod(file, 0o600);
  await writeFile(publicFile, `${publicKey.trim()}\n`, { flag: "wx" });
  if (screen.json) return screen.printJson({ signingKey: file, publicKey: publicFile });
  await screen.print(`wrote ${file}, which signs: keep it secret`);
  await screen.print(`wrote ${publicFile}, which checks: give it to the server`);
}

/** A recorded key without its hash, which is of no use to anybody. */
function shown(record: KeyRecord): Omit<KeyRecord, "hash"> {
  const { hash: _, ...key } = record;
  return key;
}

function refuseAdminOverOne(scope: Scope): void {
  if (scope !== "admin") return;
  throw new WrongUse(
    "The scope admin is over all tenants, not over one.",
    "Leave --tenant out, or use --scope schema.",
  );
}

function stateOf({ revokedAt, expiresAt }: KeyRecord, now: number): string {
  if (revokedAt !== null) return "revoked";
  return expiresAt !== null && expiresAt <= now ? "expired" : "usable";
}

function whom(tenant: string | null): string {
  return tenant === null ? "all tenants" : `tenant ${tenant}`;
}

function untilText(expiresAt: number | null): string {
  return expiresAt === null ? "never expires" : `expires ${momentText(expiresAt)} UTC`;
}
