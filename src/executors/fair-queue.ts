// Owns the order in which tenants' jobs are begun: in turns, tenant by tenant, so that who sends a hundred waits
// behind who sends one, and nobody has all of the places. Does not run them.

/**
 * Lets at most `window` jobs be under way, `share` of one tenant, and takes the next from the tenant whose turn it is.
 */
export class FairQueue<Job> {
  readonly #window: number;
  readonly #share: number;
  readonly #begin: (job: Job) => void;
  readonly #lines = new Map<string, Job[]>();
  /** Jobs under way, by tenant. */
  readonly #begun = new Map<string, number>();
  #running = 0;
  #waiting = 0;

  /** @param begin called when a job's turn has come; whoever ends the job calls {@link leave}, once and later */
  constructor(
    { window, share }: { readonly window: number; readonly share: number },
    begin: (job: Job) => void,
  ) {
    this.#window = window;
    this.#share = share;
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
    // Who waits though there is room has all that one tenant may have: he is in nobody's way.
    if (this.#running < this.#window && this.#take(tenant)) {
      this.#begin(job);
      return true;
    }
    const line = this.#lines.get(tenant);
    if (line) line.push(job);
    else this.#lines.set(tenant, [job]);
    this.#waiting++;
    return false;
  }

  /** A job of the tenant that had begun has ended. */
  leave(tenant: string): void {
    this.#running--;
    const begun = this.#begun.get(tenant)! - 1;
    if (begun === 0) this.#begun.delete(tenant);
    else this.#begun.set(tenant, begun);
    if (this.#waiting === 0) return;
    for (const [next, line] of this.#lines) {
      if (this.#running >= this.#window) return;
      if (!this.#take(next)) continue;
      const job = line.shift()!;
      this.#waiting--;
      // To the end of the round: everybody else is asked before this tenant is again.
      this.#lines.delete(next);
      if (line.length > 0) this.#lines.set(next, line);
      this.#begin(job);
    }
  }

  /** A place for a job of the tenant, unless it has its share. */
  #take(tenant: string): boolean {
    const begun = this.#begun.get(tenant) ?? 0;
    if (begun >= this.#share) return false;
    this.#begun.set(tenant, begun + 1);
    this.#running++;
    return true;
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
