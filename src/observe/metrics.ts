// Owns the figures of a process in Prometheus's text format.
// Takes what the rooms count; counts only HTTP requests itself.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Catalog } from "../catalog/catalog.ts";
import type { HandleCacheStats } from "../handle-cache/handles.ts";
import { type BackupFigures, registerBackupMetrics } from "./backup-metrics.ts";
import { type PoolFigures, registerPoolMetrics } from "./pool-metrics.ts";
import { TopTenants } from "./top-tenants.ts";

/** Tenants that get a series of their own in `/metrics`. */
export const DEFAULT_TOP_TENANTS = 20;

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the figures are taken from. */
export interface MetricsSources {
  readonly catalog: Catalog;
  readonly handles: () => HandleCacheStats;
  /** Of the executors, where there are any. */
  readonly pool?: () => PoolFigures;
  /** Of the replication, where there is one by then. */
  readonly backups?: () => BackupFigures | undefined;
  /** Jobs that have failed, by kind. */
  readonly failedJobs?: () => ReadonlyMap<string, number>;
  /** @default 20 */
  readonly topTenants?: number;
}

/** Counts requests, and prints everything. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<"method" | "route" | "status">;
  /** Children by their labels: looking one up in the histogram costs more than counting in it. */
  readonly #children = new Map<string, { observe(seconds: number): void }>();
  readonly #top: TopTenants;

  constructor({
    catalog,
    handles,
    pool,
    failedJobs,
    backups,
    topTenants = DEFAULT_TOP_TENANTS,
  }: MetricsSources) {
    this.#top = new TopTenants(topTenants);
    const registers = [this.#registry];
    if (pool) registerPoolMetrics(this.#registry, pool);
    if (backups) registerBackupMetrics(this.#registry, backups);
    this.#requests = new Histogram({
      name: "tenantry_http_request_duration_seconds",
      help: "HTTP requests by route, method and status.",
      labelNames: ["method", "route", "status"],
      buckets: SECONDS_BUCKETS,
      registers,
    });

    const gauges: readonly (readonly [string, string, (stats: HandleCacheStats) => number])[] = [
      ["open", "Databases open now.", (stats) => stats.open],
      ["leased", "Databases in use now.", (stats) => stats.leased],
      ["waiting", "Callers that wait for a handle now.", (stats) => stats.waiting],
      ["max_open", "Databases that may be open at once.", (stats) => stats.maxOpen],
    ];
    for (const [name, help, value] of gauges) {
      void new Gauge({
        name: `tenantry_handles_${name}`,
        help,
        registers,
        collect() {
          this.set(value(handles()));
        },
      });
    }
    const counters: readonly (readonly [string, string, (stats: HandleCacheStats) => number])[] = [
      ["hits_total", "Uses of a database that was open.", (stats) => stats.hits],
      ["opens_total", "Databases opened.", (stats) => stats.opens],
      ["failed_opens_total", "Databases that could not be opened.", (stats) => stats.failedOpens],
      ["failed_closes_total", "Databases whose closing failed.", (stats) => stats.failedCloses],
      ["evictions_total", "Databases closed to make room.", (stats) => stats.evictions],
      ["idle_closes_total", "Databases closed because nobody used them.", (stats) => stats.idleCloses],
      ["exhausted_total", "Callers turned away because all handles were in use.", (stats) => stats.exhausted],
      ["open_seconds_total", "Seconds spent opening databases.", (stats) => stats.openSeconds],
    ];
    for (const [name, help, value] of counters) {
      void new Counter({
        name: `tenantry_handles_${name}`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value(handles()));
        },
      });
    }
    void new Gauge({
      name: "tenantry_tenants",
      help: "Tenants by state.",
      labelNames: ["state"],
      registers,
      async collect() {
        for (const [state, tenants] of Object.entries(await catalog.count())) this.set({ state }, tenants);
      },
    });
    if (failedJobs) {
      void new Counter({
        name: "tenantry_jobs_failed_total",
        help: "Jobs that failed: restores, snapshots, drills, erasures.",
        labelNames: ["kind"],
        registers,
        collect() {
          this.reset();
          for (const [kind, jobs] of failedJobs()) this.inc({ kind }, jobs);
        },
      });
    }
    void new Gauge({
      name: "tenantry_backups_failed_drills",
      help: "Tenants whose last restore that was tried out failed, or came back with other rows.",
      registers,
      async collect() {
        this.set(await catalog.backups.countFailing());
      },
    });
    void new Gauge({
      name: "tenantry_tenants_away",
      help: "Tenants whose file is in the replica alone.",
      registers,
      async collect() {
        this.set(await catalog.backups.countAway());
      },
    });
    const top = this.#top;
    void new Gauge({
      name: "tenantry_tenant_requests",
      help: "Requests of the busiest tenants since the start, approximately.",
      labelNames: ["tenant"],
      registers,
      collect() {
        this.reset();
        for (const { tenant, requests } of top.top()) this.set({ tenant }, requests);
      },
    });
    void new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory.",
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }

  /** Counts a request that has been answered. @param route its pattern, so that there are few of them */
  request(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${status} ${route}`;
    let child = this.#children.get(key);
    if (!child) {
      child = this.#requests.labels({ method, route, status: String(status) });
      this.#children.set(key, child);
    }
    child.observe(seconds);
  }

  /** Counts a request of a tenant. */
  tenant(tenant: string): void {
    this.#top.add(tenant);
  }

  /** Everything, in Prometheus's text format. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}
