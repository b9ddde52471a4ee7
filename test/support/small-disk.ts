// Owns disks of a fixed size for tests: a tmpfs, which only root on Linux may mount.
import { execFileSync } from "node:child_process";
import { onTestFinished } from "vitest";
import { tempFolder } from "./temp-folder.ts";

/** Why there is no small disk here; undefined where there can be one. */
export const NO_SMALL_DISK: string | undefined = whyNot();

/** A folder on a disk of its own. */
export async function smallDisk(bytes: number): Promise<{
  readonly dir: string;
  readonly remount: (mode: "ro" | "rw") => void;
  readonly grow: (bytes: number) => void;
}> {
  const dir = await tempFolder();
  mount("-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", dir);
  onTestFinished(() => void execFileSync("umount", ["--lazy", dir]));
  return {
    dir,
    remount: (mode) => mount("-o", `remount,${mode}`, dir),
    grow: (size) => mount("-o", `remount,size=${size}`, dir),
  };
}

function mount(...args: string[]): void {
  execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function whyNot(): string | undefined {
  if (process.platform !== "linux") return `${process.platform} has no tmpfs`;
  if (process.getuid?.() !== 0) return "only root may mount a tmpfs";
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "this machine forbids mounts";
  }
}
