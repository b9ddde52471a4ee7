// Owns reading the examples in the docstrings of what the package's entries export, as programs.
// Runs nothing.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** An example with what it takes for granted around it. */
export interface Example {
  readonly name: string;
  readonly source: string;
}

/** What every example may use without saying where it is from. */
const GIVEN = `import type { Hono } from "hono";
import type { Driver, Handle, Tenantry } from "tenantry";
import type { D1Binding } from "tenantry/drivers/d1";
import type { ObjectNamespace } from "tenantry/drivers/durable-object";
declare const tenantry: Tenantry;
declare const env: { TENANTS: ObjectNamespace; CATALOG: D1Binding; TENANTRY_ADMIN_KEY: string };
declare const driver: Driver;
declare const catalog: Handle;
declare const app: Hono;
`;

/** The examples of the exported symbols. @param imports entries of the package and their files */
export function docExamples(imports: ReadonlyMap<string, string>): Example[] {
  return [...imports].flatMap(([entry, file]) => {
    const exported = [
      ...readFileSync(file, "utf8").matchAll(/^export (?:type )?\{([^}]*)\} from "(.+)";$/gm),
    ];
    return exported.flatMap(([, names = "", from = ""]) => {
      const source = readFileSync(join(dirname(file), from), "utf8");
      return names.split(",").flatMap((word) => {
        const name = word.replace("type ", "").trim();
        const [, example] =
          new RegExp(
            `@example\\n((?: \\* .*\\n)+?) \\*/\\nexport (?:async )?(?:function|class|interface|const) ${name}\\b`,
          ).exec(source) ?? [];
        if (name === "" || example === undefined) return [];
        const body = example.replaceAll(/^ \* /gm, "");
        const used = `import * as entry from "${entry}";\nconst { ${valuesIn(body, exported)} } = entry;\n`;
        return [
          {
            name: `example-${name}.mts`,
            source: `${GIVEN}${used}async function example() {\n${body}}\nvoid example;\n`,
          },
        ];
      });
    });
  });
}

/** Those of an entry's values that a text uses. */
function valuesIn(text: string, exported: readonly RegExpMatchArray[]): string {
  const values = exported
    .filter(([statement]) => !statement.startsWith("export type"))
    .flatMap(([, names = ""]) => names.split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "));
  return values.filter((name) => new RegExp(`\\b${name}\\b`).test(text)).join(", ");
}
