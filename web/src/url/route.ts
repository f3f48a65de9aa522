/** Where the page is: all of it stands in the URL. Pure. */

import { DIMENSIONS, type Dimension, type Sort, URGENCY } from "../query/apply.ts";

export const NODE_VIEWS = ["sessions", "locks", "cure", "collections"] as const;
export type NodeView = (typeof NODE_VIEWS)[number];
export const ACCESS_VIEWS = ["users", "groups", "policies", "simulate", "audit"] as const;
export type AccessView = (typeof ACCESS_VIEWS)[number];
export const CURE_VIEWS = ["kills", "intelligent", "tasks"] as const;
export type CureView = (typeof CURE_VIEWS)[number];

export interface SessionsState {
  /** What stands in the query bar. */
  query: string;
  sort: Sort;
  by: Dimension;
  /** The session whose drawer is open. */
  session: number | null;
  /** The columns that are shown, where they are not those that the viewer keeps. */
  columns: string[] | null;
}

export type Route =
  | { view: "instances"; search: string }
  | { view: NodeView; instance: string; node: string; project: string | null; sessions: SessionsState; cure: CureView }
  | { view: "access"; part: AccessView; search: string };

export const DEFAULT_SORT: Sort = { column: URGENCY, descending: true };
export const NO_SESSIONS_STATE: SessionsState = { query: "", sort: DEFAULT_SORT, by: "user", session: null, columns: null };

const INSTANCE = /^[0-9a-f]{32}in07$/;
const NODE = /^[0-9a-f]{32}no07$/;

/** The place that a path and its query name; the picker where they name none. */
export function parseRoute(path: string, query: string): Route {
  const parts = path.split("/").filter((part) => part !== "");
  const asked = new URLSearchParams(query);
  const [first, second, third, fourth, fifth] = parts;
  if (first === "access") {
    const part = ACCESS_VIEWS.find((one) => one === second) ?? "users";
    return { view: "access", part, search: asked.get("q") ?? "" };
  }
  if (first === "instances" && second && INSTANCE.test(second) && third === "nodes" && fourth && NODE.test(fourth)) {
    return {
      view: NODE_VIEWS.find((one) => one === fifth) ?? "sessions",
      instance: second,
      node: fourth,
      project: asked.get("project"),
      sessions: sessionsState(asked),
      cure: CURE_VIEWS.find((one) => one === asked.get("show")) ?? "kills",
    };
  }
  return { view: "instances", search: asked.get("q") ?? "" };
}

function sessionsState(asked: URLSearchParams): SessionsState {
  const sort = asked.get("sort");
  const session = Number(asked.get("session") ?? Number.NaN);
  const columns = asked.get("columns")?.split(",").filter((column) => /^[a-z_]+$/.test(column)) ?? [];
  return {
    query: asked.get("q") ?? "",
    sort: sort && /^-?[a-z_]+$/.test(sort) ? { column: sort.replace(/^-/, ""), descending: sort.startsWith("-") } : DEFAULT_SORT,
    by: DIMENSIONS.find((one) => one === asked.get("by")) ?? "user",
    session: Number.isSafeInteger(session) && session > 0 ? session : null,
    columns: columns.length > 0 ? columns : null,
  };
}

/** The URL of a place. What is as it is anyway is left out. */
export function writeRoute(route: Route): string {
  const asked = new URLSearchParams();
  if (route.view === "instances" || route.view === "access") {
    if (route.search !== "") asked.set("q", route.search);
    return withQuery(route.view === "instances" ? "/instances" : `/access/${route.part}`, asked);
  }
  if (route.project !== null) asked.set("project", route.project);
  if (route.view === "sessions") {
    const { query, sort, by, session, columns } = route.sessions;
    if (query !== "") asked.set("q", query);
    if (sort.column !== DEFAULT_SORT.column || sort.descending !== DEFAULT_SORT.descending) asked.set("sort", `${sort.descending ? "-" : ""}${sort.column}`);
    if (by !== "user") asked.set("by", by);
    if (session !== null) asked.set("session", String(session));
    if (columns !== null) asked.set("columns", columns.join(","));
  }
  if (route.view === "cure" && route.cure !== "kills") asked.set("show", route.cure);
  return withQuery(`/instances/${route.instance}/nodes/${route.node}/${route.view}`, asked);
}

function withQuery(path: string, asked: URLSearchParams): string {
  const query = asked.toString();
  return query === "" ? path : `${path}?${query}`;
}
