// Owns the long kill run, as anybody can start it: `node bench/kill-run.ts --minutes 10 --kills 50 --tenants 50`.
// Ends with 1 when an acknowledged write is missing or double, or anything else is not as it should be.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isClean, killing } from "./killing.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "50" },
    tenants: { type: "string", default: "50" },
    executors: { type: "string", default: "2" },
    clients: { type: "string", default: "24" },
    folder: { type: "string", default: tmpdir() },
  },
});
const folder = await mkdtemp(join(values.folder, "tenantry-kill-"));
const started = performance.now();
const report = await killing({
  folder,
  seconds: amount("minutes", 60) * 60,
  kills: amount("kills", 10_000),
  tenants: amount("tenants", 10_000),
  executors: amount("executors", 64),
  clients: amount("clients", 1_000),
  onKill: (what, pid) => process.stdout.write(`${seconds()} s: kill -9 of the ${what} ${pid}\n`),
});
const { kills, answers, acknowledged, unknown, unknownDone, exitCode, ...mustBeNone } = report;
process.stdout.write(
  [
    `${kills.executors} executors and ${kills.servers} servers killed in ${seconds()} s`,
    `answers: ${Object.entries(answers)
      .map(([answer, count]) => `${count} × ${answer}`)
      .join(", ")}`,
    `${acknowledged} acknowledged writes; of ${unknown} whose outcome nobody was told, ${unknownDone} were done`,
    ...Object.entries(mustBeNone).map(([what, found]) =>
      typeof found === "number"
        ? `${what}: ${found}`
        : `${what}: ${found.length} ${found.slice(0, 5).join(", ")}`,
    ),
    `ended under load with ${exitCode}`,
    "",
  ].join("\n"),
);
if (isClean(report)) await rm(folder, { recursive: true });
else {
  process.stdout.write(`The data is left in ${folder}\n`);
  process.exitCode = 1;
}

function amount(name: keyof typeof values, most: number): number {
  const number = Number(values[name]);
  if (number > 0 && number <= most) return number;
  throw new Error(`--${name} is a number above 0, and ${most} at most.`);
}

function seconds(): number {
  return Math.round((performance.now() - started) / 1_000);
}
