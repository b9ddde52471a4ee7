// Owns showing how far a migration of many tenants is: a bar on a terminal, a line now and then elsewhere.
// Does not sum up: the command does.
import { SingleBar } from "cli-progress";
import type { MigrateProgress } from "../tenants/fleet-migration.ts";
import type { Screen } from "./screen.ts";

/** Lines between nothing and all, where there is no terminal. */
const LINES = 10;

/** Follows a run. */
export interface ProgressView {
  update(progress: Pick<MigrateProgress, "done" | "failed">): void;
  /** Ends the bar, so that lines can follow it. */
  stop(): void;
}

/** The view for `screen`: none with `--json`. */
export function progressView(screen: Screen, total: number): ProgressView {
  if (screen.json || total === 0) return { update: () => {}, stop: () => {} };
  if (!screen.watched) return lineView(screen, total);
  const bar = new SingleBar({
    format: "{bar} {percentage}%  {value} of {total}{failures}  {eta_formatted} left",
    barsize: 30,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    barGlue: "",
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    stream: process.stderr,
  });
  bar.start(total, 0, { failures: "" });
  return {
    update: ({ done, failed }) =>
      bar.update(done, { failures: failed === 0 ? "" : screen.noteStyle("red", `, ${failed} failed`) }),
    stop: () => bar.stop(),
  };
}

function lineView(screen: Screen, total: number): ProgressView {
  const step = Math.max(1, Math.ceil(total / LINES));
  return {
    update({ done, failed }) {
      if (done % step !== 0 && done !== total) return;
      screen.note(`${done} of ${total} tenants${failed === 0 ? "" : `, ${failed} failed`}`);
    },
    stop: () => {},
  };
}
