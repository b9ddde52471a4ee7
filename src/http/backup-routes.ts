// Owns snapshots, restores and their jobs below `/admin`.
// Does none of the work: the room of backups does.
import { Hono } from "hono";
import * as v from "valibot";
import type { Drills } from "../backups/drills.ts";
import type { Erasure } from "../backups/erasure.ts";
import type { Jobs } from "../backups/jobs.ts";
import type { RestoreSource } from "../backups/restore-source.ts";
import type { Restores } from "../backups/restores.ts";
import { parseSnapshotName } from "../backups/snapshot-name.ts";
import type { Snapshots } from "../backups/snapshots.ts";
import { parseTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { actorOf, checkBody, tenantOf } from "./admin-routes.ts";
import type { AdminEnv } from "./env.ts";
import { readJson, readOptionalJson } from "./read-body.ts";

/** Bytes of a body here. */
const MAX_BODY_BYTES = 64 * 1024;

/** What the routes work on. */
export interface BackupRoutesOptions {
  readonly snapshots: Snapshots;
  readonly restores: Restores;
  readonly drills: Drills;
  readonly erasure: Erasure;
  readonly jobs: Jobs;
}

const time = v.pipe(v.string(), v.isoTimestamp("is a time such as 2026-11-22T10:00:00Z"));
const retention = {
  keep: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  maxAgeSeconds: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
};

/** `POST /admin/tenants/:tenant/restore`: exactly one of `at`, `txid`, `latest`, `snapshot`, `undo` and `file`. */
export const RESTORE_BODY = v.strictObject({
  at: v.optional(time),
  txid: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "is 16 hexadecimal digits"))),
  latest: v.optional(v.literal(true)),
  incarnation: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "is 32 hexadecimal digits"))),
  snapshot: v.optional(v.union([v.literal("latest"), v.string()])),
  undo: v.optional(v.literal(true)),
  file: v.optional(v.string()),
  to: v.optional(v.string()),
  dryRun: v.optional(v.boolean()),
});

/** `POST /admin/tenants/:tenant/snapshots` and `POST /admin/snapshots`, whose body may be left out. */
export const SNAPSHOT_BODY = v.strictObject(retention);

/** `POST /admin/tenants/:tenant/erase`: the tenant's name once more. */
export const ERASE_BODY = v.strictObject({ confirm: v.string() });

const some = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));
/** `POST /admin/backups/verify`: which tenants. */
export const VERIFY_BODY = v.strictObject({
  sample: some,
  largest: some,
  all: v.optional(v.literal(true)),
  tenants: v.optional(v.array(v.string())),
});

/** The routes. Paths are below `/admin`. */
export function backupRoutes({
  snapshots,
  restores,
  drills,
  erasure,
  jobs,
}: BackupRoutesOptions): Hono<AdminEnv> {
  return new Hono<AdminEnv>()
    .post("/tenants/:tenant/restore", async (c) => {
      const id = tenantOf(c);
      const body = checkBody(RESTORE_BODY, await readJson(c.req, MAX_BODY_BYTES));
      const source = sourceOf(body, c.get("onThisMachine") === true);
      if (body.dryRun) return c.json({ tenant: id, wouldRestore: await restores.plan(id, source) });
      const copy = body.to === undefined ? undefined : parseTenantId(body.to);
      await restores.assertThere(id);
      const job = jobs.start("restore", id, ({ report, signal }) => {
        const options = { ...actorOf(c), signal, onPhase: report };
        return copy === undefined
          ? restores.inPlace(id, source, options)
          : restores.toNew(id, copy, source, options);
      });
      return c.json(job, 202, { location: `/admin/jobs/${job.id}` });
    })
    .get("/tenants/:tenant/snapshots", async (c) => c.json({ snapshots: await snapshots.list(tenantOf(c)) }))
    .post("/tenants/:tenant/snapshots", async (c) => {
      const id = tenantOf(c);
      const { keep, maxAgeSeconds } = checkBody(
        SNAPSHOT_BODY,
        (await readOptionalJson(c.req, MAX_BODY_BYTES)) ?? {},
      );
      const taken = await snapshots.take(id, actorOf(c));
      const removed = await snapshots.prune(id, { keep, maxAgeMs: toMs(maxAgeSeconds) });
      return c.json({ ...taken, removed }, 201);
    })
    .post("/snapshots", async (c) => {
      const { keep, maxAgeSeconds } = checkBody(
        SNAPSHOT_BODY,
        (await readOptionalJson(c.req, MAX_BODY_BYTES)) ?? {},
      );
      const job = jobs.start("snapshot", null, ({ report, signal }) =>
        snapshots.takeAll({
          ...actorOf(c),
          keep,
          maxAgeMs: toMs(maxAgeSeconds),
          signal,
          onProgress: ({ done, total }) => report(`${done} of ${total}`),
        }),
      );
      return c.json(job, 202, { location: `/admin/jobs/${job.id}` });
    })
    .post("/tenants/:tenant/erase", async (c) => {
      const id = tenantOf(c);
      const { confirm } = checkBody(ERASE_BODY, await readJson(c.req, MAX_BODY_BYTES));
      if (confirm !== id) {
        throw new TenantryError("INVALID_ARGUMENT", "The tenant's name is not confirmed.", {
          hint: `Send {"confirm": "${id}"}: nothing of it is left afterwards.`,
        });
      }
      await restores.assertThere(id);
      const job = jobs.start("erase", id, () => erasure.erase(id, actorOf(c)));
      return c.json(job, 202, { location: `/admin/jobs/${job.id}` });
    })
    .post("/backups/verify", async (c) => {
      const { tenants, ...choice } = checkBody(VERIFY_BODY, await readJson(c.req, MAX_BODY_BYTES));
      const job = jobs.start("verify", null, ({ report, signal }) =>
        drills.run({
          ...choice,
          ...(tenants && { tenants: tenants.map(parseTenantId) }),
          ...actorOf(c),
          signal,
          onProgress: ({ done, total, failed }) => report(`${done} of ${total}, ${failed} failed`),
        }),
      );
      return c.json(job, 202, { location: `/admin/jobs/${job.id}` });
    })
    .get("/jobs", (c) => c.json({ jobs: jobs.list() }))
    .get("/jobs/:job", (c) => c.json(jobs.get(c.req.param("job"))));
}

/** @throws {TenantryError} `INVALID_ARGUMENT`, `FORBIDDEN` */
function sourceOf(body: v.InferOutput<typeof RESTORE_BODY>, onThisMachine: boolean): RestoreSource {
  const { at, txid, latest, snapshot, undo, file, incarnation } = body;
  const earlier = incarnation === undefined ? {} : { incarnation };
  const named: RestoreSource[] = [];
  if (at !== undefined) named.push({ kind: "replica", at: Date.parse(at), ...earlier });
  if (txid !== undefined) named.push({ kind: "replica", txid, ...earlier });
  if (latest) named.push({ kind: "replica", ...earlier });
  if (snapshot === "latest") named.push({ kind: "snapshot" });
  else if (snapshot !== undefined) named.push({ kind: "snapshot", name: parseSnapshotName(snapshot) });
  if (undo) named.push({ kind: "replaced" });
  if (file !== undefined) named.push({ kind: "file", path: file });
  const [source, another] = named;
  if (!source || another) {
    throw new TenantryError(
      "INVALID_ARGUMENT",
      "The body names nothing to restore from, or several things.",
      {
        hint: 'Give one of "at", "txid", "latest", "snapshot" and "undo".',
      },
    );
  }
  // Whoever reads files by name reads what the server's user can read.
  if (source.kind === "file" && !onThisMachine) {
    throw new TenantryError("FORBIDDEN", "Files of the server's disk are not restored over the network.", {
      hint: "Use the command line on that machine: tenantry restore acme --from FILE",
    });
  }
  return source;
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}
