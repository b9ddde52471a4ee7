// Owns a table of what is under way, by number. It is no Map on purpose: a Map that is filled and emptied all the
// time leaves a chain of old tables behind, and while one of them has become old for V8's collector, all that was ever
// in the later ones stays in memory: half of the processor time went into copying it (`decisions/095`).

/** A number says the place, and how many had it before: it is never used twice. */
const PLACES = 2 ** 16;

/** What is under way, up to 65,536 of it. */
export class JobTable<T extends object> {
  readonly #values: (T | undefined)[] = [];
  readonly #numbers: number[] = [];
  readonly #enteredAs: number[] = [];
  readonly #free: number[] = [];
  #entered = 0;

  get size(): number {
    return this.#values.length - this.#free.length;
  }

  /** Enters a value. @returns its number, above 0 */
  add(value: T): number {
    const place = this.#free.pop() ?? this.#values.length;
    const number = (this.#numbers[place] ?? place) + PLACES;
    this.#values[place] = value;
    this.#numbers[place] = number;
    this.#enteredAs[place] = ++this.#entered;
    return number;
  }

  get(number: number): T | undefined {
    const place = number % PLACES;
    return this.#numbers[place] === number ? this.#values[place] : undefined;
  }

  /** @returns whether it was there */
  delete(number: number): boolean {
    if (this.get(number) === undefined) return false;
    const place = number % PLACES;
    this.#values[place] = undefined;
    this.#free.push(place);
    return true;
  }

  /** What is there, the newest first. */
  newestFirst(): [number: number, value: T][] {
    const places = [...this.#values.keys()].filter((place) => this.#values[place] !== undefined);
    places.sort((a, b) => this.#enteredAs[b]! - this.#enteredAs[a]!);
    return places.map((place) => [this.#numbers[place]!, this.#values[place]!]);
  }
}
