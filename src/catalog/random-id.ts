// Owns random names: incarnations, keys' ids.

/** 32 hexadecimal digits from the cryptographic generator, 122 bits of them random. */
export function randomId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
