// Owns how a route is described, and turning descriptions into OpenAPI paths.
// Knows no route: admin-openapi.ts lists them.
import type { GenericSchema } from "valibot";
import type { ErrorCode } from "../../tenantry-error.ts";
import { jsonSchema } from "./json-schema.ts";

export type Json = Record<string, unknown>;

/** The OpenAPI version that the documents follow. */
export const OPENAPI_VERSION = "3.1.0";

/** A body, by its media type or, for JSON, by its schema alone. */
export type BodyDescription = GenericSchema | { readonly mediaType: string; readonly description: string };

export interface RouteDescription {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** As OpenAPI writes it: `/admin/tenants/{tenant}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** The scope that a token needs; `none` for routes that are open. */
  readonly scope: "none" | "read" | "write" | "schema" | "admin";
  readonly query?: Readonly<Record<string, { readonly schema: GenericSchema; readonly description: string }>>;
  readonly body?: BodyDescription;
  /** Whether the body may be left out. @default false */
  readonly bodyOptional?: boolean;
  readonly responses: Readonly<
    Record<number, { readonly description: string; readonly body?: BodyDescription }>
  >;
  /** Codes of errors that belong to this route, beyond those any route may give. */
  readonly errors?: readonly ErrorCode[];
}

/** OpenAPI's `paths` of these routes. */
export function describedPaths(routes: readonly RouteDescription[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return paths;
}

/** The components that the paths and every other document of this API refer to. */
export function sharedComponents(): Json {
  return {
    schemas: {
      Error: {
        type: "object",
        required: ["message", "code"],
        properties: {
          message: { type: "string", description: "What went wrong, for a person." },
          code: { type: "string", description: "What went wrong, for a program." },
          hint: { type: "string", description: "What to do next." },
        },
      },
    },
    responses: {
      Error: {
        description: "Refused, or failed.",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
    securitySchemes: {
      token: { type: "http", scheme: "bearer", description: "An API key, or a JWT signed with Ed25519." },
    },
  };
}

function operation(route: RouteDescription): Json {
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    })),
    ...Object.entries(route.query ?? {}).map(([name, { schema, description }]) => ({
      name,
      in: "query",
      required: false,
      description,
      schema: jsonSchema(schema),
    })),
  ];
  return {
    operationId: `${route.method}${route.path.replace(/[^A-Za-z0-9]+(.)?/g, (_, next?: string) => (next ?? "").toUpperCase())}`,
    tags: [route.tag],
    summary: route.summary,
    ...(route.scope === "none" ? {} : { security: [{ token: [route.scope] }] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: route.bodyOptional !== true, content: content(route.body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.responses).map(([status, { description, body }]) => [
          status,
          { description, ...(body === undefined ? {} : { content: content(body) }) },
        ]),
      ),
      default: {
        $ref: "#/components/responses/Error",
        ...(route.errors === undefined
          ? {}
          : { description: `Among others: ${route.errors.map((code) => `\`${code}\``).join(", ")}.` }),
      },
    },
  };
}

function content(body: BodyDescription): Json {
  return "mediaType" in body
    ? { [body.mediaType]: { schema: { type: "string", format: "binary", description: body.description } } }
    : { "application/json": { schema: jsonSchema(body) } };
}

type Answers = RouteDescription["responses"];
/** An answer with 200. */
export const ok = (description: string, body?: BodyDescription): Answers => ({
  200: { description, ...(body === undefined ? {} : { body }) },
});
/** An answer with 201. */
export const created = (description: string, body: BodyDescription): Answers => ({
  201: { description, body },
});
