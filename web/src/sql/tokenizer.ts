/** SQL tokenizer for highlighting and formatting. Accepts any input. */

export type SqlTokenKind = "word" | "keyword" | "text" | "number" | "name" | "comment" | "space" | "sign";

export interface SqlToken {
  kind: SqlTokenKind;
  text: string;
}

const KEYWORDS = new Set(
  (
    "add after all alter analyze and any as asc begin between by call case check column commit constraint create cross current database " +
    "default delete desc describe distinct do drop duplicate else end escape exists explain false for force foreign from full group having " +
    "if ignore in index inner insert interval into is join key kill left like limit lock locked lockwait mode natural nowait not null offset on or order " +
    "outer over partition primary procedure range read recursive references regexp release rename replace returning right rollback row rows " +
    "savepoint select set share show skip start straight_join table tables temporary then to transaction trigger true truncate union unique unlock " +
    "update use using values view wait when where window with write xor"
  ).split(" "),
);

const PATTERN =
  /(?<comment>\/\*[\s\S]*?(?:\*\/|$)|--(?=\s|$)[^\n]*|#[^\n]*)|(?<text>'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|"(?:[^"\\]|\\[\s\S]|"")*(?:"|$))|(?<name>`(?:[^`]|``)*(?:`|$))|(?<number>0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w$]))|(?<word>[\p{L}_@$][\p{L}\p{N}_@$]*|\d[\w$]*)|(?<space>\s+)|(?<sign>[\s\S])/giu;

/** Returns the tokens of a statement. Their concatenation is the statement. */
export function tokenizeSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  for (const match of sql.matchAll(PATTERN)) {
    const groups = match.groups ?? {};
    const group = Object.keys(groups).find((name) => groups[name] !== undefined) as SqlTokenKind | undefined;
    const text = match[0];
    const kind = group === "word" && KEYWORDS.has(text.toLowerCase()) ? "keyword" : (group ?? "sign");
    tokens.push({ kind, text });
  }
  return tokens;
}
