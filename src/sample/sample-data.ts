// Owns the rows of the sample tenants: a billing product's customers, invoices, lines and payments, that add up.
// Made for the schema in migrations/. Does not create tenants and does not run the statements.
import type { Statement } from "../drivers/driver.ts";
import {
  COMPANIES,
  COUNTRIES,
  EQUIPMENT,
  FIRST_NAMES,
  FREIGHT,
  LAST_NAMES,
  SOFTWARE,
  STREETS,
  type Trade,
} from "./sample-names.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

/** The day that the sample data takes for today. */
export const SAMPLE_TODAY = "2026-10-31";
/** Parameters in one statement at most: D1's limit. */
export const MAX_SAMPLE_PARAMETERS = 100;

const CUSTOMERS = 48;
const INVOICES = 140;
/** The oldest invoice's age in days. */
const HISTORY_DAYS = 540;
const DAY_MS = 86_400_000;
const TERMS_DAYS = [14, 14, 30, 30, 30, 45, 60];
const NOTES = [
  "Please quote the invoice number with your payment.",
  "Delivered in two parts.",
  "Discount as agreed by phone.",
  "Purchase order follows.",
  "Thank you for your business.",
];
const METHODS = ["bank_transfer", "bank_transfer", "bank_transfer", "card", "direct_debit"] as const;

const TRADES: Readonly<Record<string, Trade>> = { acme: EQUIPMENT, globex: FREIGHT, initech: SOFTWARE };

interface Customer {
  readonly id: number;
  readonly currency: string;
  readonly perEuro: number;
  readonly taxRateBps: number;
  readonly termsDays: number;
}

/** Rows by table, in the order in which foreign keys allow them. */
interface Rows {
  readonly customers: unknown[][];
  readonly invoices: unknown[][];
  readonly invoice_lines: unknown[][];
  readonly payments: unknown[][];
}

const COLUMNS: Readonly<Record<keyof Rows, readonly string[]>> = {
  customers: [
    "id",
    "name",
    "contact_name",
    "email",
    "address",
    "city",
    "country",
    "currency",
    "payment_terms_days",
    "created_at",
  ],
  invoices: [
    "id",
    "customer_id",
    "number",
    "status",
    "subject",
    "currency",
    "tax_rate_bps",
    "issued_on",
    "due_on",
    "notes",
    "created_at",
  ],
  invoice_lines: ["invoice_id", "position", "description", "quantity", "unit_price_cents"],
  payments: ["invoice_id", "amount_cents", "method", "reference", "paid_on", "created_at"],
};

/** The tenants that `npm start` makes on an empty data folder. */
export function sampleTenants(): { id: string; name: string }[] {
  return [
    { id: "acme", name: "Acme Office & Workshop" },
    { id: "globex", name: "Globex Freight" },
    { id: "initech", name: "Initech Software" },
  ];
}

/**
 * The statements that fill a new database of the sample schema: some hundred rows, the same ones for the same
 * tenant on every day and machine. Any id will do; those of {@link sampleTenants} have a trade of their own.
 *
 * Each statement has at most {@link MAX_SAMPLE_PARAMETERS} parameters. Run them as one `batch()`.
 */
export function sampleStatements(tenantId: string): Statement[] {
  const random = seededRandom(tenantId);
  const trade = TRADES[tenantId] ?? random.pick(Object.values(TRADES));
  const rows: Rows = { customers: [], invoices: [], invoice_lines: [], payments: [] };
  const customers = addCustomers(rows, random);
  addInvoices(rows, random, customers, trade, tenantId.slice(0, 3).toUpperCase());
  return (Object.keys(COLUMNS) as (keyof Rows)[]).flatMap((table) => inserts(table, rows[table]));
}

function addCustomers(rows: Rows, random: SeededRandom): Customer[] {
  const people = random.shuffled(LAST_NAMES);
  return random
    .shuffled(COMPANIES)
    .slice(0, CUSTOMERS)
    .map(([name, city, country], index) => {
      const { currency, perEuro, taxRateBps } = COUNTRIES[country];
      const termsDays = random.pick(TERMS_DAYS);
      const [first, last] = [random.pick(FIRST_NAMES), people[index]!];
      const email = `${first}.${last}@${slug(name)}.example`.toLowerCase();
      const address = `${random.between(1, 180)} ${random.pick(STREETS)}`;
      const since = time(random, HISTORY_DAYS + random.between(1, 400));
      const id = index + 1;
      rows.customers.push([
        id,
        name,
        `${first} ${last}`,
        email,
        address,
        city,
        country,
        currency,
        termsDays,
        since,
      ]);
      return { id, currency, perEuro, taxRateBps, termsDays };
    });
}

function addInvoices(
  rows: Rows,
  random: SeededRandom,
  customers: readonly Customer[],
  trade: Trade,
  prefix: string,
): void {
  const ages = Array.from({ length: INVOICES }, () => random.between(0, HISTORY_DAYS)).sort((a, b) => b - a);
  const ofYear = new Map<string, number>();
  for (const [index, age] of ages.entries()) {
    const id = index + 1;
    // A few customers buy often, most of them now and then.
    const customer = customers[Math.min(random.between(0, CUSTOMERS - 1), random.between(0, CUSTOMERS - 1))]!;
    const issuedOn = day(age);
    const year = issuedOn.slice(0, 4);
    const count = (ofYear.get(year) ?? 0) + 1;
    ofYear.set(year, count);
    const number = `${prefix}-${year}-${String(count).padStart(4, "0")}`;
    const overdueDays = age - customer.termsDays;
    const status = statusOf(random, index, overdueDays);
    const { currency, perEuro, taxRateBps } = customer;
    const notes = random.chance(20) ? random.pick(NOTES) : null;
    rows.invoices.push([
      id,
      customer.id,
      number,
      status,
      random.pick(trade.subjects),
      currency,
      taxRateBps,
      issuedOn,
      day(-(customer.termsDays - age)),
      notes,
      time(random, age),
    ]);
    const subtotal = addLines(rows, random, id, trade, perEuro);
    const total = subtotal + Math.floor((subtotal * taxRateBps + 5000) / 10_000);
    addPayments(rows, random, id, { status, number, total, age, overdueDays });
  }
}

/** Invoices come oldest first, so that some position is always of a given age: every status occurs. */
function statusOf(random: SeededRandom, index: number, overdueDays: number): string {
  if (index >= INVOICES - 4) return "draft";
  if (index % 27 === 12) return "void";
  if (index % 33 === 8 && overdueDays > 150) return "uncollectible";
  if (overdueDays > 150) return "paid";
  return random.chance(overdueDays > 0 ? 75 : 35) ? "paid" : "open";
}

/** Returns the sum of the lines, in cents. */
function addLines(
  rows: Rows,
  random: SeededRandom,
  invoiceId: number,
  trade: Trade,
  perEuro: number,
): number {
  const products = random.shuffled(trade.products).slice(0, random.pick([1, 1, 2, 2, 3, 3, 4, 5]));
  let subtotal = 0;
  for (const [index, [description, euroCents, most]] of products.entries()) {
    const price = euroCents * perEuro;
    const quantity = random.between(1, most);
    subtotal += quantity * price;
    rows.invoice_lines.push([invoiceId, index + 1, description, quantity, price]);
  }
  return subtotal;
}

interface Billed {
  readonly status: string;
  readonly number: string;
  readonly total: number;
  readonly age: number;
  readonly overdueDays: number;
}

function addPayments(rows: Rows, random: SeededRandom, invoiceId: number, billed: Billed): void {
  const { status, number, total, age, overdueDays } = billed;
  const pay = (cents: number, ago: number): void => {
    rows.payments.push([invoiceId, cents, random.pick(METHODS), number, day(ago), time(random, ago)]);
  };
  // Nobody pays before the invoice, nor after today.
  const paidAgo = Math.max(0, Math.min(age, overdueDays + random.between(-6, 12)));
  if (status === "paid" && random.chance(12)) {
    const first = Math.floor(total / 2);
    pay(first, Math.min(age, paidAgo + random.between(3, 14)));
    pay(total - first, paidAgo);
  } else if (status === "paid") {
    pay(total, paidAgo);
  } else if ((status === "open" || status === "uncollectible") && random.chance(20)) {
    pay(Math.ceil(total / 4), paidAgo);
  }
}

function inserts(table: keyof Rows, rows: readonly unknown[][]): Statement[] {
  const columns = COLUMNS[table];
  const rowsAtOnce = Math.floor(MAX_SAMPLE_PARAMETERS / columns.length);
  const placeholders = `(${columns.map(() => "?").join(", ")})`;
  const statements: Statement[] = [];
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const chunk = rows.slice(from, from + rowsAtOnce);
    statements.push({
      sql: `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${chunk.map(() => placeholders).join(", ")}`,
      params: chunk.flat(),
    });
  }
  return statements;
}

/** `2026-10-31` that many days before the sample's today. */
function day(daysAgo: number): string {
  return new Date(Date.parse(`${SAMPLE_TODAY}T00:00:00Z`) - daysAgo * DAY_MS).toISOString().slice(0, 10);
}

/** A moment of that day, within office hours. */
function time(random: SeededRandom, daysAgo: number): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${day(daysAgo)}T${two(random.between(8, 17))}:${two(random.between(0, 59))}:${two(random.between(0, 59))}Z`;
}

function slug(name: string): string {
  const plain = name.normalize("NFD").replaceAll(/[\u0300-\u036f']/g, "");
  return plain
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
