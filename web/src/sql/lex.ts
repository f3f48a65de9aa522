/** SQL in pieces, for colours, templates and line breaks. Never fails: what it does not know is a piece of its own. */

export type PieceKind = "word" | "keyword" | "text" | "number" | "name" | "comment" | "space" | "sign";

export interface Piece {
  kind: PieceKind;
  text: string;
}

const KEYWORDS = new Set(
  ("add after all alter analyze and any as asc begin between by call case check column commit constraint create cross current database " +
    "default delete desc describe distinct do drop duplicate else end escape exists explain false for force foreign from full group having " +
    "if ignore in index inner insert interval into is join key kill left like limit lock locked lockwait mode natural nowait not null offset on or order " +
    "outer over partition primary procedure range read recursive references regexp release rename replace returning right rollback row rows " +
    "savepoint select set share show skip start straight_join table tables temporary then to transaction trigger true truncate union unique unlock " +
    "update use using values view wait when where window with write xor")
    .split(" "),
);

const PATTERN =
  /(?<comment>\/\*[\s\S]*?(?:\*\/|$)|--(?=\s|$)[^\n]*|#[^\n]*)|(?<text>'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|"(?:[^"\\]|\\[\s\S]|"")*(?:"|$))|(?<name>`(?:[^`]|``)*(?:`|$))|(?<number>0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w$]))|(?<word>[\p{L}_@$][\p{L}\p{N}_@$]*|\d[\w$]*)|(?<space>\s+)|(?<sign>[\s\S])/giu;

/** The pieces of a statement; together they are the statement. */
export function lex(sql: string): Piece[] {
  const pieces: Piece[] = [];
  for (const match of sql.matchAll(PATTERN)) {
    const groups = match.groups ?? {};
    const found = Object.keys(groups).find((name) => groups[name] !== undefined) as PieceKind | undefined;
    const text = match[0];
    const kind = found === "word" && KEYWORDS.has(text.toLowerCase()) ? "keyword" : (found ?? "sign");
    pieces.push({ kind, text });
  }
  return pieces;
}

/** What comes after this many characters does not tell statements apart. */
const LONGEST = 4096;
const templates = new Map<string, string>();

/** The statement with `?` for each literal. Where the server sends templates of its own, those are shown instead. */
export function template(whole: string): string {
  const sql = whole.slice(0, LONGEST);
  const known = templates.get(sql);
  if (known !== undefined) return known;
  const written = lex(sql)
    .map(({ kind, text }) => {
      if (kind === "text" || kind === "number") return "?";
      if (kind === "space") return " ";
      return kind === "comment" ? "" : text;
    })
    .join("")
    .replace(/\s+/g, " ")
    .replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, "(…)")
    .replace(/(\(…\))(?:\s*,\s*\(…\))+/g, "$1")
    .trim();
  // Statements come and go; what is not on screen any more is not worth its memory.
  if (templates.size > 20_000) templates.clear();
  templates.set(sql, written);
  return written;
}
