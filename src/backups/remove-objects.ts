// Owns removing what lies below a prefix of a store, old versions included, and listing what is left of it.
// Does not know what the objects are.
import type { ObjectStore, StoredObject } from "./object-store.ts";
import { workThrough } from "./work-through.ts";

/** How often what is still listed is removed again: a version may have to be an old one first, or a store forgets. */
const ROUNDS = 3;
/** Objects that are removed at once. */
const CONCURRENCY = 8;

/** All that a store has below a prefix, also what was replaced or removed there before. */
export async function objectsBelow(store: ObjectStore, prefix: string): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const object of store.list(prefix, { versions: true })) found.push(object);
  return found;
}

/** Removes all that {@link objectsBelow} finds. @returns what there was, each once, by name; it may still be there */
export async function removeObjects(store: ObjectStore, prefix: string): Promise<StoredObject[]> {
  const listed = new Map<string, StoredObject>();
  for (let round = 0; round < ROUNDS; round++) {
    const left = await objectsBelow(store, prefix);
    if (left.length === 0) break;
    for (const object of left) listed.set(`${object.key}\0${object.version ?? ""}`, object);
    await workThrough(left, { concurrency: CONCURRENCY, work: (object) => store.remove(object) });
  }
  return [...listed.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}
