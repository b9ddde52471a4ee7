// Owns sizes as sqld's admin API writes them: a number of bytes, or text such as "5 GB".
// Does not know what the sizes are of.
import { TenantryError } from "../tenantry-error.ts";

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ...[..."kmgtp"].flatMap((letter, index): [string, number][] => [
    [letter, 1000 ** (index + 1)],
    [`${letter}b`, 1000 ** (index + 1)],
    [`${letter}i`, 1024 ** (index + 1)],
    [`${letter}ib`, 1024 ** (index + 1)],
  ]),
]);
/** Those that are written, the largest first. */
const WRITTEN: readonly (readonly [string, number])[] = ["PB", "TB", "GB", "MB", "KB"].flatMap(
  (unit, index) => [
    [unit.replace("B", "iB"), 1024 ** (5 - index)] as const,
    [unit, 1000 ** (5 - index)] as const,
  ],
);

/** Bytes of a size. @throws {TenantryError} `INVALID_ARGUMENT` */
export function parseByteSize(name: string, size: string | number): number {
  const [, count = "", unit = ""] =
    /^\s*(\d{1,16}(?:\.\d{1,6})?)\s*([a-z]{0,3})\s*$/i.exec(String(size)) ?? [];
  const bytes = Math.floor(
    Number(count === "" ? Number.NaN : count) * (UNITS.get(unit.toLowerCase()) ?? Number.NaN),
  );
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new TenantryError(
    "INVALID_ARGUMENT",
    `"${name}" is not a size: ${JSON.stringify(String(size).slice(0, 40))}.`,
    {
      hint: 'Give bytes, or text such as "5 GB" or "512 MiB".',
    },
  );
}

/** A size as text that stands for exactly so many bytes. */
export function byteSizeText(bytes: number): string {
  const [unit, size] = WRITTEN.find(([, one]) => bytes % one === 0) ?? ["B", 1];
  return `${bytes / size} ${unit}`;
}
