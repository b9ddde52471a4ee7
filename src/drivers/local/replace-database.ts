// Owns putting another file in a database's place, so that whoever is killed half-way leaves one of the two.
// Does not make sure that nobody has the database open: the driver does.
import { link, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { copyDurably, exists, makeFolder, presentFiles, syncFile } from "./database-file.ts";

/**
 * Gives the file at `from` the name `to`, on the same disk. What was there is at `keep` afterwards, with the
 * side files that it had. At every moment there is a whole database at `to`, if there was one before.
 */
export async function replaceDatabase(from: string, to: string, keep: string): Promise<void> {
  await syncFile(from);
  await makeFolder(dirname(keep));
  await makeFolder(dirname(to));
  const sideFiles = (await presentFiles(to)).filter((path) => path !== to);
  if (await exists(to)) {
    await link(to, keep).catch(async (error: NodeJS.ErrnoException) => {
      // Some file systems have no second name for a file.
      if (error.code !== "EPERM" && error.code !== "ENOTSUP" && error.code !== "EOPNOTSUPP") throw error;
      await copyDurably(to, keep);
    });
  }
  // Only a database that cannot be opened still has them. Beside the new one they would be its ruin.
  for (const path of sideFiles) await rename(path, keep + path.slice(to.length));
  await syncFile(dirname(keep));
  await rename(from, to);
  await syncFile(dirname(to));
}
