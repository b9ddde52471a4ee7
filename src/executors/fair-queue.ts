// Owns the order in which tenants' jobs are begun: in turns, tenant by tenant, so that who sends a hundred waits
// behind who sends one. Does not run them.

/** A job in line. */
interface Waiting {
  readonly begin: () => void;
}

/** Lets at most `window` jobs be under way, and takes the next from the tenant whose turn it is. */
export class FairQueue {
  readonly #window: number;
  readonly #lines = new Map<string, Waiting[]>();
  #running = 0;
  #waiting = 0;

  constructor(window: number) {
    this.#window = window;
  }

  /** Jobs in line. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Begins the job now or in its turn. @returns what takes it out of the line again */
  enter(tenant: string, begin: () => void): () => void {
    if (this.#running < this.#window && this.#waiting === 0) {
      this.#running++;
      begin();
      return () => {};
    }
    const job: Waiting = { begin };
    const line = this.#lines.get(tenant);
    if (line) line.push(job);
    else this.#lines.set(tenant, [job]);
    this.#waiting++;
    return () => this.#remove(tenant, job);
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
      job.begin();
    }
  }

  #remove(tenant: string, job: Waiting): void {
    const line = this.#lines.get(tenant);
    const index = line?.indexOf(job) ?? -1;
    if (!line || index < 0) return;
    line.splice(index, 1);
    this.#waiting--;
    if (line.length === 0) this.#lines.delete(tenant);
  }
}
