// Owns the schema of every company's database, as text that a bundler and Node take alike.
export const MIGRATIONS = [
  {
    name: "0001_tasks.sql",
    sql: `CREATE TABLE tasks (
      id INTEGER PRIMARY KEY,
      title TEXT NOT NULL CHECK (length(trim(title)) BETWEEN 1 AND 200),
      done INTEGER NOT NULL DEFAULT 0
    );`,
  },
  { name: "0002_tasks_done.sql", sql: "CREATE INDEX tasks_done ON tasks (done, id);" },
];
