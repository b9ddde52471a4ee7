// Owns the figures of the replication in `/metrics`.
// Takes what the replication counts; has no series for each tenant.
import { Counter, Gauge, type Registry } from "prom-client";

/** The figures of a replication: see `backups/backups-status.ts`. */
export interface BackupFigures {
  readonly registered: number;
  readonly dirty: number;
  readonly maxLagMs: number;
  readonly canary: { readonly ms: number | null; readonly arrivedAt: number | null };
  readonly restarts: number;
  readonly failures: number;
  readonly alarms: readonly string[];
}

const GAUGES: readonly (readonly [string, string, (figures: BackupFigures) => number | null])[] = [
  ["registered", "Databases that Litestream has now.", (f) => f.registered],
  ["dirty_tenants", "Tenants that may have writes that are not in the replica.", (f) => f.dirty],
  ["lag_seconds", "The longest for which a tenant's writes may have been missing.", (f) => f.maxLagMs / 1000],
  [
    "canary_seconds",
    "What the last row took that was written to be seen in the replica.",
    (f) => (f.canary.ms === null ? null : f.canary.ms / 1000),
  ],
  [
    "canary_arrived_timestamp_seconds",
    "When the last such row was there.",
    (f) => (f.canary.arrivedAt === null ? null : f.canary.arrivedAt / 1000),
  ],
];

const COUNTERS: readonly (readonly [string, string, (figures: BackupFigures) => number])[] = [
  ["litestream_restarts_total", "Litestream processes that ended by themselves.", (f) => f.restarts],
  ["failures_total", "Uploads that failed.", (f) => f.failures],
];

/** Adds the figures to a registry: none as long as nothing is replicated. */
export function registerBackupMetrics(registry: Registry, figures: () => BackupFigures | undefined): void {
  const registers = [registry];
  for (const [name, help, value] of GAUGES) {
    void new Gauge({
      name: `tenantry_backups_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        const now = figures();
        const shown = now && value(now);
        if (shown === undefined || shown === null) this.remove();
        else this.set(shown);
      },
    });
  }
  for (const [name, help, value] of COUNTERS) {
    void new Counter({
      name: `tenantry_backups_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        const now = figures();
        if (now) this.inc(value(now));
      },
    });
  }
  void new Gauge({
    name: "tenantry_backups_alarm",
    help: "1 for each alarm that holds now.",
    labelNames: ["alarm"],
    registers,
    collect() {
      this.reset();
      for (const alarm of figures()?.alarms ?? []) this.set({ alarm }, 1);
    },
  });
}
