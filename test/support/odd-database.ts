// Owns a database with everything in it that is easily lost on the way: for tests of copies.
import Database from "better-sqlite3";

/** Writes it to a new file at `path`. @param rows of the large table */
export function makeOddDatabase(path: string, rows = 300): void {
  const db = new Database(path);
  db.exec(`
    CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
      applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL, checksum TEXT);
    CREATE TABLE "odd ""name" ("a b" TEXT, "select" INTEGER, loose, real REAL, both AS ("select" * 2) STORED,
      virtual AS ("select" + 1));
    CREATE TABLE pairs (k TEXT, n INTEGER, v BLOB, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
    CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree (id), p INTEGER REFERENCES parent (id));
    CREATE TABLE noted (at TEXT);
    CREATE TABLE notes (body TEXT);
    CREATE VIRTUAL TABLE words USING fts5(body, title, tokenize = 'porter');
    CREATE VIRTUAL TABLE notes_index USING fts5(body, content = 'notes');
    CREATE VIRTUAL TABLE places USING rtree(id, x0, x1, y0, y1);
    CREATE INDEX by_up ON tree (up) WHERE up IS NOT NULL;
    CREATE INDEX by_upper ON parent (upper(name));
    CREATE VIEW named AS SELECT name FROM parent;
    CREATE TRIGGER log AFTER INSERT ON parent BEGIN INSERT INTO noted VALUES (new.name); END;
    CREATE TRIGGER into_view INSTEAD OF INSERT ON named BEGIN INSERT INTO parent (name) VALUES (new.name); END;
    CREATE TRIGGER index_notes AFTER INSERT ON notes BEGIN
      INSERT INTO notes_index (rowid, body) VALUES (new.rowid, new.body); END;
    INSERT INTO d1_migrations (name) VALUES ('0001_init.sql');
    INSERT INTO parent (name) VALUES ('a'), ('b'), ('it''s'), ('line
break');
    DELETE FROM parent WHERE name = 'b';
    INSERT INTO tree VALUES (1, 3, 1), (2, NULL, NULL), (3, 2, 3);
    INSERT INTO notes (rowid, body) VALUES (7, 'seven hills'), (9, 'nine lives');
    INSERT INTO words VALUES ('running dogs', 'one'), ('', NULL), ('日本 🎉', 'two');
    INSERT INTO places VALUES (5, 1.5, 2.5, -3, 4);
  `);
  const odd = db.prepare(`INSERT INTO "odd ""name" ("a b", "select", loose, real) VALUES (?, ?, ?, ?)`);
  const loose: unknown[] = [
    1n,
    1.5,
    "1",
    Buffer.from("1"),
    null,
    9007199254740993n,
    -9223372036854775808n,
    -0,
    1e21,
    5e-324,
  ];
  for (const value of [
    ...loose,
    1.7976931348623157e308,
    0.1 + 0.2,
    "",
    Buffer.alloc(0),
    "x'00'",
    "'",
    "\ufeffbom",
  ]) {
    odd.run("text", 3n, value, 2n);
  }
  db.exec(`INSERT INTO "odd ""name" ("a b", loose) VALUES (CAST(x'ff41' AS TEXT), CAST(x'610062' AS TEXT)),
    (9e999, -9e999), (hex(zeroblob(60000)), zeroblob(90000)), (CAST(zeroblob(70000) AS TEXT), 1)`);
  const pair = db.prepare("INSERT INTO pairs VALUES (?, ?, ?)");
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  db.exec("CREATE TABLE large (id INTEGER PRIMARY KEY, r REAL, t TEXT)");
  const large = db.prepare("INSERT INTO large VALUES (?, ?, ?)");
  db.transaction(() => {
    for (let i = 0; i < rows; i++) {
      pair.run(`k${i % 7}`, BigInt(i), Buffer.from([i % 256, 0]));
      large.run(
        BigInt(i) * 1_000_000_007n,
        (random() - 0.5) * 10 ** Math.floor(random() * 60 - 30),
        "row ".repeat(i % 40),
      );
    }
  })();
  db.close();
}
