// Owns which of n places a key belongs to: jump-consistent hashing (Lamping and Veach, 2014). When n grows by
// one, only 1/(n+1) of the keys move, and all of them to the new place.

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const MASK = 0xffffffffffffffffn;
const MULTIPLIER = 2862933555777941757n;

/** The place of `key` among `places`, from 0. @param places at least 1 */
export function jumpHash(key: string, places: number): number {
  return jump(fnv1a(key), places);
}

/** The algorithm itself, for a key of 64 bits. */
export function jump(key: bigint, places: number): number {
  let state = key;
  let place = -1n;
  let next = 0n;
  while (next < BigInt(places)) {
    place = next;
    state = (state * MULTIPLIER + 1n) & MASK;
    next = BigInt(Math.floor(Number(place + 1n) * (2 ** 31 / Number((state >> 33n) + 1n))));
  }
  return Number(place);
}

/** 64 bits of FNV-1a over the key's UTF-16 units; tenant ids are ASCII. */
export function fnv1a(key: string): bigint {
  let hash = FNV_OFFSET;
  for (let index = 0; index < key.length; index++) {
    hash = ((hash ^ BigInt(key.charCodeAt(index))) * FNV_PRIME) & MASK;
  }
  return hash;
}
