// Owns what of an account the environment names, for tests that run against it: its variables, or why there is no test.
// Has no account, and none is needed for anything else.

/** What an account is reached by. */
export interface LiveAccount<Name extends string> {
  /** The variables, which are there where nothing is missing. */
  readonly settings: Readonly<Record<Name, string>>;
  /** Why it is skipped; undefined where all are set. */
  readonly missing: string | undefined;
  /** A test's name, with why it is skipped. */
  readonly title: (name: string) => string;
}

/** The account that these variables name. */
export function liveAccount<Name extends string>(...names: readonly Name[]): LiveAccount<Name> {
  const settings = Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
  const unset = names.filter((name) => settings[name] === "");
  const missing = unset.length > 0 ? `${unset.join(", ")} not set` : undefined;
  return {
    settings: settings as Record<Name, string>,
    missing,
    title: (name) => (missing === undefined ? name : `${name} (skipped: ${missing})`),
  };
}
