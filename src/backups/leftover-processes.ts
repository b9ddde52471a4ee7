// Owns that no Litestream of a server that was killed still works on a data folder when the next one begins.
// Ends nothing but what is provably such a process.
import { execFile } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeFolder } from "../drivers/local/database-file.ts";

/** Milliseconds between two looks whether a process has gone. */
const LOOK_MS = 20;
const LOOKS = 250;

/** How the folder of a process begins: its configuration and its socket lie there. */
export const PRIVATE_FOLDER = "tenantry-ls-";

const run = promisify(execFile);

/** Where the processes of a data folder are noted. */
export function processNotes(dataDir: string): string {
  return join(dataDir, "litestream");
}

/** Notes a process, by the path of the configuration that it was started with. */
export async function noteProcess(notes: string, pid: number, configPath: string): Promise<void> {
  await makeFolder(notes);
  await writeFile(join(notes, String(pid)), configPath);
}

/** Forgets a process that has ended. */
export async function forgetProcess(notes: string, pid: number): Promise<void> {
  await rm(join(notes, String(pid)), { force: true });
}

/**
 * Ends what is left of a killed server's processes, and their folders. They end by themselves, too, but may be
 * uploading still: two of them would write to one line. The caller has the data folder's lock.
 */
export async function endLeftovers(notes: string): Promise<void> {
  const names = await readdir(notes).catch(() => []);
  await Promise.all(
    names.map(async (name) => {
      const pid = Number(name);
      const configPath = await readFile(join(notes, name), "utf8");
      // Its number may be another's by now; its command line has the name of a folder that no other has.
      for (let look = 0; look < LOOKS && (await commandOf(pid)).includes(configPath); look++) {
        if (look === 0) kill(pid);
        await new Promise((resolve) => void setTimeout(resolve, LOOK_MS));
      }
      // Whatever a damaged note says, nothing but such a folder is removed.
      if (basename(dirname(configPath)).startsWith(PRIVATE_FOLDER)) {
        await rm(dirname(configPath), { recursive: true, force: true });
      }
      await forgetProcess(notes, pid);
    }),
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended in this moment.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** The command line of a process; empty where there is none of that number. */
async function commandOf(pid: number): Promise<string> {
  if (!Number.isSafeInteger(pid) || pid <= 1) return "";
  try {
    if (process.platform === "linux") return await readFile(`/proc/${pid}/cmdline`, "utf8");
    return (await run("ps", ["-p", String(pid), "-o", "args="])).stdout;
  } catch {
    return "";
  }
}
