// Owns bringing Litestream into a checkout's .tools/, from its wheel on the Python package index, by hash.
// Runs after `npm ci` and `npm install` in a checkout; is not part of the package, and never fails an install.
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const ROOT = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const TOOLS = join(ROOT, ".tools");
const NAME = process.platform === "win32" ? "litestream.exe" : "litestream";
const BINARY = join(TOOLS, NAME);
const REQUIREMENTS = join(ROOT, "scripts", "litestream-requirements.txt");

/** Milliseconds that pip may take: 13 MB, once. */
const INSTALL_TIMEOUT_MS = 180_000;

const PYTHONS = process.platform === "win32" ? ["py", "python"] : ["python3", "python"];

async function isThere(version) {
  try {
    return (await run(BINARY, ["version"])).stdout.trim() === version;
  } catch {
    return false;
  }
}

async function install(into) {
  const options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"];
  const args = ["-m", "pip", "install", ...options, "--target", into, "-r", REQUIREMENTS];
  const failures = [];
  for (const python of PYTHONS) {
    try {
      return await run(python, args, { timeout: INSTALL_TIMEOUT_MS });
    } catch (error) {
      const said = String(error.stderr || error.message).trim();
      failures.push(
        `${python}: ${said.split("\n").find((line) => /error/i.test(line)) ?? said.split("\n")[0]}`,
      );
    }
  }
  throw new Error(failures.join("; "));
}

async function main() {
  // Packing builds what consumers get, and needs no binary.
  if (["pack", "publish"].includes(process.env.npm_command ?? "")) return;
  const [, version] = /==(\S+)/.exec(await readFile(REQUIREMENTS, "utf8"));
  if (await isThere(version)) return;
  let scratch;
  try {
    await mkdir(TOOLS, { recursive: true });
    scratch = await mkdtemp(join(TOOLS, "install-"));
    await install(scratch);
    await chmod(join(scratch, "bin", NAME), 0o755);
    await rename(join(scratch, "bin", NAME), BINARY);
    console.log(`Litestream ${version} is in .tools/, for backups.`);
  } catch (error) {
    console.log(`Backups stay off: Litestream ${version} could not be installed (${error.message}).`);
  } finally {
    if (scratch) await rm(scratch, { recursive: true, force: true });
  }
}

await main();
