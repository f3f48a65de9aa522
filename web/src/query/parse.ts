/** The query bar: every filter of the API in one line, and a few of the page's own. Pure. */

/** The words that the bar knows. The first name of each is the API's, or the page's own. */
export interface Term {
  key: "filter" | "threshold" | "user" | "host" | "db" | "command" | "sql" | "sort" | "dir" | "template" | "waits" | "id" | "program";
  aliases: readonly string[];
  /** The name in a request; nothing where the API has no such filter. */
  api: string | null;
  /** What it can be, where that is known. */
  values?: readonly string[];
}

export const SORT_KEYS = ["id", "state_duration", "trx_executed_time", "trx_id", "trx_lock_duration", "trx_lock_rows", "trx_lock_tables", "trx_update_rows"] as const;

export const TERMS: readonly Term[] = [
  { key: "filter", aliases: [], api: "filter", values: ["total", "active", "slow", "long"] },
  { key: "threshold", aliases: ["slow_process_threshold"], api: "slow_process_threshold" },
  { key: "user", aliases: [], api: "user" },
  { key: "host", aliases: [], api: "host" },
  { key: "db", aliases: ["database"], api: "db" },
  { key: "command", aliases: [], api: "command" },
  { key: "sql", aliases: ["sql_key"], api: "sql_key" },
  { key: "sort", aliases: ["sort_key"], api: "sort_key", values: SORT_KEYS },
  { key: "dir", aliases: ["sort_dir"], api: "sort_dir", values: ["desc", "asc"] },
  { key: "template", aliases: [], api: null },
  { key: "waits", aliases: [], api: null, values: ["yes"] },
  { key: "program", aliases: [], api: null },
  { key: "id", aliases: [], api: null },
];

export type Filters = Partial<Record<Term["key"], string>>;

export interface Mistake {
  /** Which words of the language's catalogue say what is wrong. */
  kind: "unknown" | "value" | "twice" | "number";
  word: string;
  known: string;
}

export interface Query {
  filters: Filters;
  mistakes: Mistake[];
}

/** A word of the bar, and where it stands. */
export interface Token {
  text: string;
  key: string | null;
  value: string;
  start: number;
  end: number;
}

/** The words of the bar. A value with spaces stands in double quotes; a quote in it is written twice. */
export function tokens(bar: string): Token[] {
  const found: Token[] = [];
  for (const match of bar.matchAll(/(?:([A-Za-z_]+):)?("(?:[^"]|"")*"?|[^\s"]\S*|(?<=:))/g)) {
    const text = match[0];
    if (text === "") continue;
    found.push({
      text,
      key: match[1]?.toLowerCase() ?? null,
      value: unquoted(match[2] ?? ""),
      start: match.index,
      end: match.index + text.length,
    });
  }
  return found;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  const inner = value.length > 1 && value.endsWith('"') ? value.slice(1, -1) : value.slice(1);
  return inner.replaceAll('""', '"');
}

/** A value as it has to be typed. */
export function quoted(value: string): string {
  return value === "" || /[\s"]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

export function termOf(key: string): Term | undefined {
  return TERMS.find((term) => term.key === key || term.aliases.includes(key));
}

/** What the bar asks for. Words without a name are looked for in the statement. */
export function parse(bar: string): Query {
  const filters: Filters = {};
  const mistakes: Mistake[] = [];
  const free: string[] = [];
  for (const token of tokens(bar)) {
    const term = token.key === null ? undefined : termOf(token.key);
    if (token.key === null) {
      free.push(token.value);
    } else if (!term) {
      mistakes.push({ kind: "unknown", word: token.key, known: TERMS.map((known) => known.key).join(" ") });
    } else if (token.value === "") {
      // Not typed to the end yet.
    } else if (filters[term.key] !== undefined) {
      mistakes.push({ kind: "twice", word: term.key, known: "" });
    } else {
      const wrong = mistakeIn(term, token.value);
      if (wrong) mistakes.push(wrong);
      else filters[term.key] = token.value;
    }
  }
  if (free.length > 0) {
    if (filters.sql !== undefined) mistakes.push({ kind: "twice", word: "sql", known: "" });
    else filters.sql = free.join(" ");
  }
  return { filters, mistakes };
}

function mistakeIn(term: Term, value: string): Mistake | null {
  if (term.values && !term.values.includes(value)) return { kind: "value", word: value, known: term.values.join(" ") };
  const number = term.key === "threshold" ? [1, 86_400] : term.key === "id" ? [1, Number.MAX_SAFE_INTEGER] : null;
  if (!number) return null;
  const read = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  const fits = read >= (number[0] ?? 0) && read <= (number[1] ?? 0);
  return fits ? null : { kind: "number", word: value, known: term.key === "threshold" ? "1–86400" : "1…" };
}

/** The bar that asks for these filters. */
export function written(filters: Filters): string {
  return TERMS.flatMap(({ key }) => (filters[key] === undefined ? [] : [`${key}:${quoted(filters[key])}`])).join(" ");
}

/** The bar with one filter set, or taken out where it is that already: what a click in the breakdown does. */
export function toggled(bar: string, key: Term["key"], value: string): string {
  const { filters } = parse(bar);
  const next: Filters = { ...filters };
  if (filters[key] === value) delete next[key];
  else next[key] = value;
  return written(next);
}

/** The body of a collection that holds what is on screen, and the filters that no collection has. */
export function collectionOf(filters: Filters): { body: Record<string, string | number>; left: Term["key"][] } {
  const body: Record<string, string | number> = {};
  const left: Term["key"][] = [];
  for (const { key, api } of TERMS) {
    const value = filters[key];
    if (value === undefined) continue;
    if (api === null) left.push(key);
    else body[api] = key === "threshold" ? Number(value) : value;
  }
  return { body, left };
}
