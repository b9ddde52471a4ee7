// Owns the JSON Schema of what bodies are made of: the few schemas of Valibot that this API uses.
// Checks nothing. In a Worker's bundle, where every kilobyte counts, it stands for @valibot/to-json-schema, with which
// a test compares it.
import type { GenericSchema } from "valibot";

type Json = Record<string, unknown>;

/** What of Valibot's schemas and actions is read here. */
interface Part {
  readonly kind: string;
  readonly type: string;
  readonly entries?: Readonly<Record<string, Part>>;
  readonly wrapped?: Part;
  readonly item?: Part;
  readonly key?: Part;
  readonly value?: Part;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly pipe?: readonly Part[];
  readonly requirement?: unknown;
  readonly description?: string;
}

/** The JSON Schema of what a schema takes. @throws {TypeError} for a kind of schema that is not known here */
export function jsonSchema(schema: GenericSchema): Json {
  return schemaOf(schema as unknown as Part);
}

function schemaOf(schema: Part): Json {
  const { pipe } = schema;
  if (pipe === undefined) return bare(schema);
  const json = bare(pipe[0] as Part);
  for (const action of pipe.slice(1)) Object.assign(json, actionOf(action, json));
  return json;
}

function bare({ type, entries = {}, wrapped, item, key, value, options = [], literal }: Part): Json {
  switch (type) {
    case "string":
    case "number":
    case "boolean":
    case "null":
      return { type };
    case "unknown":
      return {};
    case "literal":
      return { const: literal };
    case "picklist":
      return { enum: [...options], type: "string" };
    case "nullable":
      return { anyOf: [schemaOf(wrapped as Part), { type: "null" }] };
    case "optional":
      return schemaOf(wrapped as Part);
    case "array":
      return { type: "array", items: schemaOf(item as Part) };
    case "record":
      return {
        type: "object",
        propertyNames: schemaOf(key as Part),
        additionalProperties: schemaOf(value as Part),
      };
    case "union":
      return { anyOf: options.map((option) => schemaOf(option as Part)) };
    case "object":
    case "loose_object":
    case "strict_object":
      return {
        type: "object",
        properties: Object.fromEntries(
          Object.entries(entries).map(([name, entry]) => [name, schemaOf(entry)]),
        ),
        required: Object.keys(entries).filter((name) => entries[name]?.type !== "optional"),
        ...(type === "strict_object" && { additionalProperties: false }),
      };
    default:
      throw new TypeError(`No JSON Schema is known for v.${type}().`);
  }
}

function actionOf({ type, requirement, description }: Part, { type: of }: Json): Json {
  switch (type) {
    case "description":
      return { description };
    case "integer":
      return { type: "integer" };
    case "safe_integer":
      return { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
    case "min_value":
      return { minimum: requirement };
    case "max_value":
      return { maximum: requirement };
    case "min_length":
      return of === "array" ? { minItems: requirement } : { minLength: requirement };
    case "max_length":
      return of === "array" ? { maxItems: requirement } : { maxLength: requirement };
    case "non_empty":
      return of === "array" ? { minItems: 1 } : { minLength: 1 };
    case "regex":
      return { pattern: (requirement as RegExp).source };
    case "iso_timestamp":
      return { format: "date-time" };
    default:
      // What JSON Schema has no words for, such as a check, is the route's own to say.
      return {};
  }
}
