/** Parser of the query bar, which supports all filters of the API and additional filters of the page. */

/** Filter of the query bar. */
export interface Term {
  key:
    | "filter"
    | "threshold"
    | "user"
    | "host"
    | "db"
    | "command"
    | "sql"
    | "sort"
    | "dir"
    | "template"
    | "waits"
    | "id"
    | "program";
  aliases: readonly string[];
  /** Parameter name in the API; `null` if the API has no such filter. */
  api: string | null;
  /** Allowed values; any value if undefined. */
  values?: readonly string[];
}

export const SORT_KEYS = [
  "id",
  "state_duration",
  "trx_executed_time",
  "trx_id",
  "trx_lock_duration",
  "trx_lock_rows",
  "trx_lock_tables",
  "trx_update_rows",
] as const;

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

export interface QueryError {
  /** Suffix of the message key. */
  kind: "unknown" | "value" | "duplicate" | "number";
  word: string;
  /** Valid filter names or values, for the message. */
  valid: string;
}

export interface Query {
  filters: Filters;
  errors: QueryError[];
}

/** Token of the query bar with its position. */
export interface Token {
  text: string;
  key: string | null;
  value: string;
  start: number;
  end: number;
}

/** Splits the text of the query bar into tokens. A value with spaces is enclosed in double quotes; a quote within it is doubled. */
export function tokenize(bar: string): Token[] {
  const tokens: Token[] = [];
  for (const match of bar.matchAll(/(?:([A-Za-z_]+):)?("(?:[^"]|"")*"?|[^\s"]\S*|(?<=:))/g)) {
    const text = match[0];
    if (text === "") continue;
    tokens.push({
      text,
      key: match[1]?.toLowerCase() ?? null,
      value: unquoteValue(match[2] ?? ""),
      start: match.index,
      end: match.index + text.length,
    });
  }
  return tokens;
}

function unquoteValue(value: string): string {
  if (!value.startsWith('"')) return value;
  const inner = value.length > 1 && value.endsWith('"') ? value.slice(1, -1) : value.slice(1);
  return inner.replaceAll('""', '"');
}

/** Returns a value with the required quotes. */
export function quoteValue(value: string): string {
  return value === "" || /[\s"]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

export function findTerm(key: string): Term | undefined {
  return TERMS.find((term) => term.key === key || term.aliases.includes(key));
}

/** Parses the query bar. Words without a filter name are searched in the statement. */
export function parse(bar: string): Query {
  const filters: Filters = {};
  const errors: QueryError[] = [];
  const free: string[] = [];
  for (const token of tokenize(bar)) {
    const term = token.key === null ? undefined : findTerm(token.key);
    if (token.key === null) {
      free.push(token.value);
    } else if (!term) {
      errors.push({ kind: "unknown", word: token.key, valid: TERMS.map(({ key }) => key).join(" ") });
    } else if (token.value === "") {
      // Incomplete input.
    } else if (filters[term.key] !== undefined) {
      errors.push({ kind: "duplicate", word: term.key, valid: "" });
    } else {
      const error = validateTerm(term, token.value);
      if (error) errors.push(error);
      else filters[term.key] = token.value;
    }
  }
  if (free.length > 0) {
    if (filters.sql !== undefined) errors.push({ kind: "duplicate", word: "sql", valid: "" });
    else filters.sql = free.join(" ");
  }
  return { filters, errors };
}

function validateTerm(term: Term, value: string): QueryError | null {
  if (term.values && !term.values.includes(value)) return { kind: "value", word: value, valid: term.values.join(" ") };
  const number = term.key === "threshold" ? [1, 86_400] : term.key === "id" ? [1, Number.MAX_SAFE_INTEGER] : null;
  if (!number) return null;
  const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  const inRange = parsed >= (number[0] ?? 0) && parsed <= (number[1] ?? 0);
  return inRange ? null : { kind: "number", word: value, valid: term.key === "threshold" ? "1–86400" : "1…" };
}

/** Returns the query bar text of filters. */
export function formatFilters(filters: Filters): string {
  return TERMS.flatMap(({ key }) => (filters[key] === undefined ? [] : [`${key}:${quoteValue(filters[key])}`])).join(
    " ",
  );
}

/** Sets a filter, or removes it if it already has this value. */
export function toggleFilter(bar: string, key: Term["key"], value: string): string {
  const { filters } = parse(bar);
  const { [key]: current, ...others } = filters;
  return formatFilters(current === value ? others : { ...filters, [key]: value });
}

/** Returns the body of a collection request, and the filters that collections do not support. */
export function collectionRequest(filters: Filters): {
  body: Record<string, string | number>;
  unsupported: Term["key"][];
} {
  const body: Record<string, string | number> = {};
  const unsupported: Term["key"][] = [];
  for (const { key, api } of TERMS) {
    const value = filters[key];
    if (value === undefined) continue;
    if (api === null) unsupported.push(key);
    else body[api] = key === "threshold" ? Number(value) : value;
  }
  return { body, unsupported };
}
