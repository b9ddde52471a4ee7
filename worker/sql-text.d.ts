// Owns the type of SQL files that wrangler bundles as text.
declare module "*.sql" {
  const text: string;
  export default text;
}
