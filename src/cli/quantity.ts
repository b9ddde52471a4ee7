// Owns how counts, sizes, times and durations are written for people, and how durations are read.
// Does not write machine-readable output: that has numbers as they are.
import { InvalidArgumentError } from "commander";

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** `1 tenant`, `3 tenants`, `12,000 tenants`; with the same word for one and several `12,000 failed`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}

/** `512 B`, `24.0 KiB`, `1.5 GiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = "";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `2026-01-31 12:34` in UTC; `-` for null. @param at milliseconds since 1970 */
export function momentText(at: number | null): string {
  return at === null ? "-" : new Date(at).toISOString().slice(0, 16).replace("T", " ");
}

/** Milliseconds as `0.4 ms`, `12 ms`, `3.2 s`, `4 min 10 s`. */
export function durationText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Seconds of `90s`, `15m`, `12h`, `30d`, `2w` or `1y`. @throws {InvalidArgumentError} */
export function parseDurationSeconds(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9})([smhdwy])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? 0);
  if (seconds >= 1) return seconds;
  throw new InvalidArgumentError("It is a number with s, m, h, d, w or y, such as 30d.");
}

/** Reads whole numbers of a range. @throws {InvalidArgumentError} when the text is none */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It is a whole number ${range}.`);
  };
}

const SIZE_BYTES: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Bytes of `500MB`, `50GB` or `2TB`. @throws {InvalidArgumentError} */
export function parseSize(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([KMGT]B)$/i.exec(text) ?? [];
  const bytes = Number(count) * (SIZE_BYTES[unit.toUpperCase()] ?? 0);
  if (bytes >= 1) return bytes;
  throw new InvalidArgumentError("It is a number with KB, MB, GB or TB, such as 50GB.");
}
