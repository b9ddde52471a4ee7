// Owns what a sqld answers to wal_log.ReplicationLog over gRPC-web: who it is, and frames from a number on. The
// messages are libSQL's proto/replication_log.proto, as far as a replica reads them. Serves nothing.

const LOG_ID = "6f1d3ab0-0f5e-4c56-9d3e-2b6b0f1f7a10";
const SESSION = "0d1c4c1e-6a49-4c53-8a50-5f4f7f6f2c11";

/** A frame: the page's number, the pages of the database after a commit, and the page. */
export interface LogFrame {
  readonly page: number;
  readonly sizeAfter: number;
  readonly bytes: Buffer;
}

/** The `next_offset` that is asked for. */
export function offsetOf(body: Uint8Array): number {
  // Flag and length before the message; the field's tag before its value.
  const [tag, ...value] = body.subarray(5);
  if (tag !== 0x08) return 0;
  return value
    .slice(0, value.findIndex((byte) => byte < 0x80) + 1)
    .reduceRight((sum, byte) => sum * 128 + (byte & 127), 0);
}

/** @param last the number of the last frame, from 0 */
export function helloAnswer(last: number): Uint8Array<ArrayBuffer> {
  return answer(
    bytesField(1, Buffer.from(LOG_ID)),
    bytesField(3, Buffer.from(LOG_ID)),
    bytesField(4, Buffer.from(SESSION)),
    Buffer.from([0x28, ...varint(last)]),
  );
}

/** All frames from a number on. */
export function batchAnswer(frames: readonly LogFrame[], from: number): Uint8Array<ArrayBuffer> {
  return answer(
    ...frames.slice(from).map(({ page, sizeAfter, bytes }, index) => {
      const header = Buffer.alloc(24);
      header.writeBigUInt64LE(BigInt(from + index), 0);
      header.writeUInt32LE(page, 16);
      header.writeUInt32LE(sizeAfter, 20);
      return bytesField(1, bytesField(1, Buffer.concat([header, bytes])));
    }),
  );
}

function answer(...fields: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const trailers = Buffer.from("grpc-status:0\r\n");
  return new Uint8Array(Buffer.concat([...framed(0, Buffer.concat(fields)), ...framed(0x80, trailers)]));
}

function framed(flag: number, bytes: Buffer): Buffer[] {
  const head = Buffer.from([flag, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return [head, bytes];
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
}
