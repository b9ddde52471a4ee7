// Owns when snapshots are taken and restores are tried out by themselves: by cron's syntax, in UTC.
// Does neither: it starts jobs, which /admin/jobs shows.
import { TenantryError } from "../tenantry-error.ts";
import type { Drills } from "./drills.ts";
import type { Jobs } from "./jobs.ts";
import type { Snapshots, SnapshotRetention } from "./snapshots.ts";

/** Tenants whose restore is tried out by each drill unless the operator says otherwise. */
export const DEFAULT_DRILL_SAMPLE = 20;

/** Whom the audit log names for what nobody asked for by hand. */
const ACTOR = "timetable";

/** Options of {@link startTimetable}. */
export interface TimetableOptions {
  /** When a snapshot of every tenant is taken, such as `30 3 * * *`. @default never */
  readonly snapshots?: (SnapshotRetention & { readonly cron: string }) | undefined;
  /** When restores are tried out, and of how many tenants at random. @default never */
  readonly drills?: { readonly cron: string; readonly sample?: number | undefined } | undefined;
}

/** What a timetable works on. */
export interface TimetableParts {
  readonly snapshots: Snapshots;
  readonly drills: Drills;
  readonly jobs: Jobs;
}

/**
 * Starts what is due, each no second time before it has ended. @returns what stops it
 * @throws {TenantryError} `INVALID_OPTION` for what is no cron line
 */
export async function startTimetable(
  { snapshots, drills, jobs }: TimetableParts,
  options: TimetableOptions,
): Promise<Disposable> {
  const { Cron } = await import("croner");
  const stops: (() => void)[] = [];
  const every = (cron: string, start: (at: number) => { readonly id: string }): void => {
    let last: string | undefined;
    try {
      const timer = new Cron(
        cron,
        { timezone: "UTC", unref: true },
        (self: { currentRun(): Date | null }) => {
          if (last !== undefined && jobs.find(last)?.state === "running") return;
          // The moment that was asked for, to the minute, however late the timer is.
          const at = Math.floor((self.currentRun()?.getTime() ?? Date.now()) / 60_000) * 60_000;
          last = start(at).id;
        },
      );
      stops.push(() => timer.stop());
    } catch (cause) {
      for (const stop of stops) stop();
      throw new TenantryError("INVALID_OPTION", `${JSON.stringify(cron)} is no line of cron's.`, {
        hint: 'Five fields, in UTC: "30 3 * * *" is every night at half past three.',
        cause,
      });
    }
  };
  if (options.snapshots) {
    const { cron, ...retention } = options.snapshots;
    every(cron, (at) =>
      jobs.start("snapshot", null, ({ report, signal }) =>
        snapshots.takeAll({
          ...retention,
          at,
          actor: ACTOR,
          signal,
          onProgress: ({ done, total }) => report(`${done} of ${total}`),
        }),
      ),
    );
  }
  if (options.drills) {
    const { cron, sample = DEFAULT_DRILL_SAMPLE } = options.drills;
    every(cron, () =>
      jobs.start("verify", null, ({ report, signal }) =>
        drills.run({
          sample,
          actor: ACTOR,
          signal,
          onProgress: ({ done, total }) => report(`${done} of ${total}`),
        }),
      ),
    );
  }
  return {
    [Symbol.dispose]: () => {
      for (const stop of stops) stop();
    },
  };
}
