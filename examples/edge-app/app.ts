// A small product for many companies: whoever signs up gets a database of its own, and a page with its tasks.
// The same source runs on Node (node.ts, a folder of files) and on Cloudflare (worker.ts, an object for each company).
import { drizzle } from "drizzle-orm/d1";
import { asc, eq } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Hono } from "hono";
import { html } from "hono/html";
// In a project of your own: from "tenantry/worker", whose types Node's createTenantry() fulfils as well.
import { errorResponse, parseTenantId, type TenantEnv, type WorkerTenantry } from "../../src/worker.ts";

const tasks = sqliteTable("tasks", {
  id: integer().primaryKey(),
  title: text().notNull(),
  done: integer({ mode: "boolean" }).notNull(),
});

type Html = ReturnType<typeof html>;

const page = (title: string, body: Html): Html =>
  html`<!doctype html>
    <html lang="en">
      <title>${title}</title>
      <h1>${title}</h1>
      ${body}
    </html>`;

/** The application, wherever the tenants are. Yours asks who the user is before `/t/:tenant/*`. */
export function edgeApp({ lifecycle, middleware }: Pick<WorkerTenantry, "lifecycle" | "middleware">) {
  const app = new Hono<TenantEnv>();
  app.onError((error, c) => errorResponse(c, error));

  app.get("/", (c) =>
    c.html(
      page(
        "Tasks for your company",
        html`<form method="post" action="/companies">
          <input name="name" placeholder="acme" required /> <button>Sign up</button>
        </form>`,
      ),
    ),
  );

  app.post("/companies", async (c) => {
    const { name } = await c.req.parseBody();
    const { id } = await lifecycle.create(parseTenantId(String(name)));
    return c.redirect(`/t/${id}/`, 303);
  });

  app.use("/t/:tenant/*", middleware());

  app.get("/t/:tenant/", async (c) => {
    const all = await drizzle(c.var.db).select().from(tasks).orderBy(asc(tasks.done), asc(tasks.id));
    return c.html(
      page(
        c.var.tenant,
        html`<ul>
            ${all.map(
              ({ id, title, done }) =>
                html`<li>
                  ${done ? html`<s>${title}</s>` : title}
                  <form method="post" action="tasks/${id}/done"><button>done</button></form>
                </li>`,
            )}
          </ul>
          <form method="post" action="tasks"><input name="title" required /> <button>Add</button></form>`,
      ),
    );
  });

  app.get("/t/:tenant/tasks", async (c) => c.json(await drizzle(c.var.db).select().from(tasks)));

  app.post("/t/:tenant/tasks", async (c) => {
    const { title } = await c.req.parseBody();
    await drizzle(c.var.db)
      .insert(tasks)
      .values({ title: String(title), done: false });
    return c.redirect("./", 303);
  });

  app.post("/t/:tenant/tasks/:id/done", async (c) => {
    const id = Number(c.req.param("id"));
    await drizzle(c.var.db).update(tasks).set({ done: true }).where(eq(tasks.id, id));
    return c.redirect("../../", 303);
  });

  return app;
}
