// Owns the figures of the executors in `/metrics`.
// Takes what the pool counts.
import { Counter, Gauge, type Registry } from "prom-client";

/** The figures of an executor pool: see `executors/executor-pool.ts`. */
export interface PoolFigures {
  readonly kills: number;
  readonly restarts: number;
  readonly recycles: number;
  readonly throttled: number;
  readonly overloaded: number;
  readonly queued: number;
  readonly queueSeconds: number;
  readonly chores: number;
  readonly executors: readonly {
    readonly name: string;
    readonly running: number;
    readonly waiting: number;
    readonly rssBytes: number;
    readonly open: number;
  }[];
}

type Executor = PoolFigures["executors"][number];

const COUNTERS: readonly (readonly [string, string, (figures: PoolFigures) => number])[] = [
  ["executor_kills_total", "Executors ended because a statement ran past its time limit.", (f) => f.kills],
  ["executor_restarts_total", "Executors started again after a kill or a crash.", (f) => f.restarts],
  ["executor_recycles_total", "Executors replaced because of their memory.", (f) => f.recycles],
  ["tenant_throttled_total", "Requests of tenants that are kept out for a while.", (f) => f.throttled],
  ["overloaded_total", "Requests turned away because too much was to be done.", (f) => f.overloaded],
  ["queued_total", "Requests that waited for their turn.", (f) => f.queued],
  ["queue_seconds_total", "Seconds that requests waited for their turn, in sum.", (f) => f.queueSeconds],
];

const GAUGES: readonly (readonly [string, string, (executor: Executor) => number])[] = [
  ["executor_running", "Requests that an executor has now.", (executor) => executor.running],
  ["executor_waiting", "Requests in line for an executor now.", (executor) => executor.waiting],
  ["executor_resident_memory_bytes", "Resident memory of an executor.", (executor) => executor.rssBytes],
  ["executor_handles_open", "Databases that an executor has open.", (executor) => executor.open],
];

/** Adds the figures to a registry. */
export function registerPoolMetrics(registry: Registry, figures: () => PoolFigures): void {
  const registers = [registry];
  for (const [name, help, value] of COUNTERS) {
    void new Counter({
      name: `tenantry_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(figures()));
      },
    });
  }
  void new Gauge({
    name: "tenantry_executor_chores",
    help: "Work on whole databases, such as imports, that is being done.",
    registers,
    collect() {
      this.set(figures().chores);
    },
  });
  for (const [name, help, value] of GAUGES) {
    void new Gauge({
      name: `tenantry_${name}`,
      help,
      labelNames: ["executor"],
      registers,
      collect() {
        for (const executor of figures().executors) this.set({ executor: executor.name }, value(executor));
      },
    });
  }
}
