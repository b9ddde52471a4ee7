// Owns a map of bounded size that forgets what has not been used for long. For what can be found out again.
// Knows no time: whoever keeps what gets old says so in the value.

/** Bounds of a {@link RecentMap}. */
export interface RecentMapOptions<K, V> {
  /** How many entries it holds at most, at least 1. @default no limit */
  readonly maxEntries?: number;
  /** What its entries' sizes come to at most, as `sizeOf` has them; what is larger by itself is not kept. @default no limit */
  readonly maxSize?: number;
  /** @default 0 for every entry */
  readonly sizeOf?: (value: V, key: K) => number;
  /** Called with each value that is no longer held: dropped, replaced or deleted. */
  readonly onDrop?: (value: V) => void;
}

/**
 * A bounded map in two generations: what is used joins the younger, and once that is half of what the map may hold
 * it becomes the older, whose entries go first. So an entry outlives as many new ones as half of the map, and one in
 * use is found with a look-up that moves nothing. From half to all of the bound is full.
 *
 * @example
 * const known = new RecentMap<string, Plan>({ maxSize: 1_000_000, sizeOf: (_, sql) => sql.length });
 */
export class RecentMap<K, V extends {}> {
  readonly #maxEntries: number;
  readonly #maxSize: number;
  readonly #sizeOf: (value: V, key: K) => number;
  readonly #onDrop: ((value: V) => void) | undefined;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #oldest = this.#old.keys();
  #youngSize = 0;
  #oldSize = 0;

  constructor(options: RecentMapOptions<K, V>) {
    this.#maxEntries = options.maxEntries ?? Number.POSITIVE_INFINITY;
    this.#maxSize = options.maxSize ?? Number.POSITIVE_INFINITY;
    this.#sizeOf = options.sizeOf ?? (() => 0);
    this.#onDrop = options.onDrop;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The value, which counts as used now. */
  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#old.size === 0) return value;
    const found = this.#old.get(key);
    if (found !== undefined) {
      this.#old.delete(key);
      this.#oldSize -= this.#sizeOf(found, key);
      this.#add(key, found);
    }
    return found;
  }

  /** The value, which counts as used no more than before. */
  peek(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  set(key: K, value: V): void {
    this.delete(key);
    if (this.#sizeOf(value, key) <= this.#maxSize) this.#add(key, value);
    else this.#onDrop?.(value);
  }

  delete(key: K): void {
    const value = this.peek(key);
    if (value === undefined) return;
    if (this.#young.delete(key)) this.#youngSize -= this.#sizeOf(value, key);
    else {
      this.#old.delete(key);
      this.#oldSize -= this.#sizeOf(value, key);
    }
    this.#onDrop?.(value);
  }

  clear(): void {
    this.#turnOver();
    this.#turnOver();
  }

  #add(key: K, value: V): void {
    this.#young.set(key, value);
    this.#youngSize += this.#sizeOf(value, key);
    if (this.#young.size * 2 > this.#maxEntries || this.#youngSize * 2 > this.#maxSize) this.#turnOver();
    while (this.size > this.#maxEntries || this.#youngSize + this.#oldSize > this.#maxSize) {
      this.delete(this.#oldest.next().value as K);
    }
  }

  #turnOver(): void {
    const dropped = this.#old;
    this.#old = this.#young;
    this.#oldest = this.#old.keys();
    this.#oldSize = this.#youngSize;
    this.#young = new Map();
    this.#youngSize = 0;
    if (this.#onDrop) for (const value of dropped.values()) this.#onDrop(value);
  }
}
