// Owns the OpenAPI document of one tenant's row API, made from its schema.
// Reads no database.
import type { Column, DatabaseSchema, Table } from "../../database/schema.ts";
import { type Json, OPENAPI_VERSION, sharedComponents } from "./route-description.ts";

export interface TenantOpenApiOptions {
  readonly tenant: string;
  /** Where the tenant's routes are, such as `/t/acme`. */
  readonly serverUrl: string;
  /** @default "1" */
  readonly version?: string;
}

const RANGE = "Which of the rows these are, and of how many where that was asked for: `0-9/100`, `0-9/*`.";
const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` });
const COMMON_PARAMETERS: Json = {
  select: text("query", "select", "Columns between commas, each as `name` or `alias:name`; `*` for all."),
  order: text(
    "query",
    "order",
    "Columns between commas, each with `.asc` or `.desc`, `.nullsfirst` or `.nullslast`.",
  ),
  limit: { ...text("query", "limit", "Rows at most."), schema: { type: "integer", minimum: 0 } },
  offset: {
    ...text("query", "offset", "Rows to leave out before the first."),
    schema: { type: "integer", minimum: 0 },
  },
  or: text("query", "or", "Conditions of which one must hold: `(id.eq.1,name.like.A*)`."),
  and: text("query", "and", "Conditions that must all hold, for nesting in others."),
  columns: text("query", "columns", "Which keys of the body are written."),
  on_conflict: text("query", "on_conflict", "The unique columns that decide what is a duplicate."),
  Prefer: text(
    "header",
    "Prefer",
    "`return=representation`, `count=exact`, `resolution=merge-duplicates`, `missing=default`, …",
  ),
  Range: text("header", "Range", "`0-9`: the first ten rows."),
};

function text(place: string, name: string, description: string): Json {
  return { name, in: place, description, required: false, schema: { type: "string" } };
}

/** Describes a tenant's tables and views as paths of its row API. Internal tables are left out. */
export function tenantOpenApi(schema: DatabaseSchema, options: TenantOpenApiOptions): Json {
  const tables = [...schema.tables.values()].filter((table) => !table.internal && table.columns.length > 0);
  const shared = sharedComponents();
  return {
    openapi: OPENAPI_VERSION,
    info: {
      title: `Tables of ${options.tenant}`,
      version: options.version ?? "1",
      description:
        "Rows in PostgREST's grammar. Each column is a filter: `?id=eq.5`, `?name=like.A*`, `?id=in.(1,2)`.",
    },
    servers: [{ url: options.serverUrl }],
    paths: Object.fromEntries(
      tables.map((table) => [`/rest/${encodeURIComponent(table.name)}`, tablePath(table)]),
    ),
    security: [{ token: [] }],
    components: {
      ...shared,
      parameters: COMMON_PARAMETERS,
      schemas: {
        ...(shared["schemas"] as Json),
        ...Object.fromEntries(tables.map((table) => [componentName(table.name), rowSchema(table)])),
      },
    },
  };
}

function tablePath(table: Table): Json {
  const filters = table.columns.map((column) =>
    text(
      "query",
      column.name,
      `A condition on the column: \`eq.\`, \`gt.\`, \`in.(…)\`, \`is.null\`, \`not.…\`.`,
    ),
  );
  const common = (...names: string[]): Json[] => names.map((name) => ref("parameters", name));
  const rows = { type: "array", items: ref("schemas", componentName(table.name)) };
  const answered = (description: string): Json => ({
    description,
    headers: { "Content-Range": { description: RANGE, schema: { type: "string" } } },
    content: { "application/json": { schema: rows }, "text/csv": { schema: { type: "string" } } },
  });
  const operation = (summary: string, parameters: Json[], responses: Json, body?: Json): Json => ({
    tags: [table.name],
    summary,
    parameters,
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: { ...responses, default: ref("responses", "Error") },
  });
  const read = operation(
    `Read ${table.name}`,
    [...filters, ...common("select", "order", "limit", "offset", "or", "and", "Prefer", "Range")],
    { "200": answered("The rows."), "206": answered("A part of the rows, of a known total.") },
  );
  if (table.kind === "view") return { get: read };
  const one = ref("schemas", componentName(table.name));
  const written = {
    "200": answered("The rows, with return=representation."),
    "204": { description: "Done." },
  };
  return {
    get: read,
    post: operation(
      `Insert into ${table.name}, or upsert`,
      common("select", "columns", "on_conflict", "Prefer"),
      { "201": answered("Inserted."), "200": answered("Every row was there already, and was updated.") },
      { oneOf: [one, rows] },
    ),
    patch: operation(
      `Update ${table.name}; a filter is required`,
      [...filters, ...common("select", "columns", "or", "and", "Prefer")],
      written,
      { ...one, description: "The columns to change." },
    ),
    delete: operation(
      `Delete from ${table.name}; a filter is required`,
      [...filters, ...common("select", "or", "and", "Prefer")],
      written,
    ),
  };
}

function rowSchema(table: Table): Json {
  return {
    type: "object",
    title: table.name,
    properties: Object.fromEntries(
      table.columns
        .filter((column) => !column.hidden)
        .map((column) => [column.name, columnSchema(table, column)]),
    ),
  };
}

function columnSchema(table: Table, column: Column): Json {
  const key = table.foreignKeys.find((key) => key.columns.length === 1 && key.columns[0] === column.name);
  const notes = [
    column.type,
    column.primaryKey > 0 ? "primary key" : "",
    column.default === null ? "" : `default ${column.default}`,
    key === undefined ? "" : `refers to ${key.table}`,
  ];
  const type = jsonType(column);
  return {
    ...(type === undefined ? {} : { type: column.nullable ? [type, "null"] : type }),
    ...(notes.some((note) => note !== "")
      ? { description: notes.filter((note) => note !== "").join(", ") }
      : {}),
    ...(column.generated === null ? {} : { readOnly: true }),
  };
}

/** What SQLite's rules make of the column's values; `undefined` where they may be anything. */
function jsonType(column: Column): string | undefined {
  if (column.kind === "boolean") return "boolean";
  if (column.kind === "json" || column.kind === "bytes")
    return column.kind === "bytes" ? "string" : undefined;
  const types: Partial<Record<Column["affinity"], string>> = {
    integer: "integer",
    real: "number",
    text: "string",
  };
  return types[column.affinity];
}

// component names have a small alphabet; other characters become their code
function componentName(table: string): string {
  return `row.${table}`.replace(
    /[^A-Za-z0-9._-]/gu,
    (character) => `_x${character.codePointAt(0)?.toString(16)}_`,
  );
}
