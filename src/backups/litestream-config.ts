// Owns what a Litestream process is told when it starts: how often it uploads, compacts and takes snapshots.
// The databases come later, over the control socket.

/** How long what is in a replica can be restored, and how finely. */
export interface RetentionOptions {
  /** Hours between two whole copies of a database that is written to. @default 6 */
  readonly snapshotHours?: number | undefined;
  /** Hours for which every second can be brought back; older copies are removed. @default 168 */
  readonly retentionHours?: number | undefined;
}

export const DEFAULT_SNAPSHOT_HOURS = 6;
export const DEFAULT_RETENTION_HOURS = 168;

/**
 * Ends Litestream when this process ends, however it does. Litestream goes when its subcommand goes, and that
 * one reads from a pipe whose other end is held here alone.
 */
const LIFELINE = "sh -c 'exec cat <&3 >/dev/null'";

/** The descriptor of the pipe, which Litestream passes on to its subcommand. */
export const LIFELINE_FD = 3;

/** The text of a configuration. JSON is YAML. */
export function litestreamConfig(
  socketPath: string,
  { snapshotHours = DEFAULT_SNAPSHOT_HOURS, retentionHours = DEFAULT_RETENTION_HOURS }: RetentionOptions = {},
): string {
  return JSON.stringify({
    socket: { enabled: true, path: socketPath, permissions: 0o600 },
    exec: LIFELINE,
    snapshot: { interval: `${snapshotHours}h`, retention: `${retentionHours}h` },
    levels: [{ interval: "30s" }, { interval: "5m" }, { interval: "1h" }],
    "l0-retention": "5m",
    // Each tick lists the objects of every database.
    "l0-retention-check-interval": "10m",
    // At its end one database after the other is tried for that long while the replica is away.
    "shutdown-sync-timeout": "2s",
    logging: { level: "warn", type: "json", stderr: true },
    dbs: [],
  });
}
