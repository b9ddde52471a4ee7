// Owns what a doctor says: findings, how bad they are, and what to do.
// Examines nothing.

/** From harmless to harmful. `ok` says that a check found nothing, or what it found was mended. */
export const SEVERITIES = ["ok", "warn", "error"] as const;

/** One of {@link SEVERITIES}. */
export type Severity = (typeof SEVERITIES)[number];

/** What one check found. */
export interface Finding {
  /** The check, such as `missing-files`. */
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do. */
  readonly hint?: string;
  readonly tenant?: string;
  readonly path?: string;
}

/** The worst severity among `findings`. */
export function worstOf(findings: readonly Finding[]): Severity {
  return SEVERITIES.findLast((severity) => findings.some((finding) => finding.severity === severity)) ?? "ok";
}
