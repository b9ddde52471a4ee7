// Owns the order in which tenants' jobs are begun: in turns, tenant by tenant, so that who sends a hundred waits
// behind who sends one. Does not run them.

/** Lets at most `window` jobs be under way, and takes the next from the tenant whose turn it is. */
export class FairQueue<Job> {
  readonly #window: number;
  readonly #begin: (job: Job) => void;
  readonly #lines = new Map<string, Job[]>();
  #running = 0;
  #waiting = 0;

  /** @param begin called when a job's turn has come; whoever ends the job calls {@link leave}, once and later */
  constructor(window: number, begin: (job: Job) => void) {
    this.#window = window;
    this.#begin = begin;
  }

  /** Jobs in line. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Jobs that have begun and not ended. */
  get running(): number {
    return this.#running;
  }

  /** Begins the job now or in its turn. @returns whether it has begun */
  enter(tenant: string, job: Job): boolean {
    if (this.#running < this.#window && this.#waiting === 0) {
      this.#running++;
      this.#begin(job);
      return true;
    }
    const line = this.#lines.get(tenant);
    if (line) line.push(job);
    else this.#lines.set(tenant, [job]);
    this.#waiting++;
    return false;
  }

  /** A job that had begun has ended. */
  leave(): void {
    this.#running--;
    while (this.#running < this.#window && this.#waiting > 0) {
      const [tenant, line] = this.#lines.entries().next().value!;
      const job = line.shift()!;
      this.#waiting--;
      // To the end of the round: everybody else is asked before this tenant is again.
      this.#lines.delete(tenant);
      if (line.length > 0) this.#lines.set(tenant, line);
      this.#running++;
      this.#begin(job);
    }
  }

  /** Takes a job out of the line, if it is still there. */
  remove(tenant: string, job: Job): void {
    const line = this.#lines.get(tenant);
    const index = line?.indexOf(job) ?? -1;
    if (!line || index < 0) return;
    line.splice(index, 1);
    this.#waiting--;
    if (line.length === 0) this.#lines.delete(tenant);
  }

  /** Takes all jobs of a tenant out of the line. */
  takeAll(tenant: string): readonly Job[] {
    const line = this.#lines.get(tenant) ?? [];
    this.#lines.delete(tenant);
    this.#waiting -= line.length;
    return line;
  }
}
