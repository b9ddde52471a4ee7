// Owns giving the memory of bytes back before the garbage collector comes for it. V8 has its whole heap looked through
// for every few tens of megabytes that were made outside of it, and a server that hands large answers on makes so many
// that this was most of its work (decisions/095). Does not know whose the bytes were.

/** Bytes from which on it is worth it. */
const WORTH_BYTES = 4 * 1024;

/** Gives bytes' memory back, where nothing else lies in it; nobody may look at them afterwards. */
export function freeBytes({ buffer, byteLength }: Uint8Array): void {
  if (byteLength === buffer.byteLength) freeBuffer(buffer);
}

/** Gives memory back in which nothing lies any more. */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer.byteLength >= WORTH_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
