/** Routes of the page. The URL contains the complete state of a view. */

import { type Dimension, DIMENSIONS, SEVERITY_ORDER, type Sort } from "../query/apply.ts";

export const NODE_VIEWS = ["sessions", "locks", "kill", "collections"] as const;
export type NodeView = (typeof NODE_VIEWS)[number];
export const ACCESS_VIEWS = ["users", "groups", "policies", "simulate", "audit"] as const;
export type AccessView = (typeof ACCESS_VIEWS)[number];
export const KILL_TABS = ["kills", "intelligent", "tasks"] as const;
export type KillTab = (typeof KILL_TABS)[number];

export interface SessionsState {
  /** Text of the query bar. */
  query: string;
  sort: Sort;
  by: Dimension;
  /** Session of the open drawer. */
  session: number | null;
  /** Columns, if they differ from the columns stored in the browser. */
  columns: string[] | null;
}

export type Route =
  | { view: "instances"; search: string }
  | { view: NodeView; instance: string; node: string; project: string | null; sessions: SessionsState; tab: KillTab }
  | { view: "access"; part: AccessView; search: string };

export const DEFAULT_SORT: Sort = { column: SEVERITY_ORDER, descending: true };
export const DEFAULT_SESSIONS_STATE: SessionsState = {
  query: "",
  sort: DEFAULT_SORT,
  by: "user",
  session: null,
  columns: null,
};

const INSTANCE_ID_PATTERN = /^[0-9a-f]{32}in07$/;
const NODE_ID_PATTERN = /^[0-9a-f]{32}no07$/;

/** Parses a path and its query string. An unknown path yields the instance list. */
export function parseRoute(path: string, query: string): Route {
  const segments = path.split("/").filter((part) => part !== "");
  const params = new URLSearchParams(query);
  const [first, second, third, fourth, fifth] = segments;
  if (first === "access") {
    const part = ACCESS_VIEWS.find((one) => one === second) ?? "users";
    return { view: "access", part, search: params.get("q") ?? "" };
  }
  if (
    first === "instances" &&
    second &&
    INSTANCE_ID_PATTERN.test(second) &&
    third === "nodes" &&
    fourth &&
    NODE_ID_PATTERN.test(fourth)
  ) {
    return {
      view: NODE_VIEWS.find((one) => one === fifth) ?? "sessions",
      instance: second,
      node: fourth,
      project: params.get("project"),
      sessions: sessionsState(params),
      tab: KILL_TABS.find((one) => one === params.get("show")) ?? "kills",
    };
  }
  return { view: "instances", search: params.get("q") ?? "" };
}

function sessionsState(params: URLSearchParams): SessionsState {
  const sort = params.get("sort");
  const session = Number(params.get("session") ?? Number.NaN);
  const columns =
    params
      .get("columns")
      ?.split(",")
      .filter((column) => /^[a-z_]+$/.test(column)) ?? [];
  return {
    query: params.get("q") ?? "",
    sort:
      sort && /^-?[a-z_]+$/.test(sort)
        ? { column: sort.replace(/^-/, ""), descending: sort.startsWith("-") }
        : DEFAULT_SORT,
    by: DIMENSIONS.find((one) => one === params.get("by")) ?? "user",
    session: Number.isSafeInteger(session) && session > 0 ? session : null,
    columns: columns.length > 0 ? columns : null,
  };
}

/** Returns the URL of a route. Default values are omitted. */
export function writeRoute(route: Route): string {
  const params = new URLSearchParams();
  if (route.view === "instances" || route.view === "access") {
    if (route.search !== "") params.set("q", route.search);
    return withQuery(route.view === "instances" ? "/instances" : `/access/${route.part}`, params);
  }
  if (route.project !== null) params.set("project", route.project);
  if (route.view === "sessions") {
    const { query, sort, by, session, columns } = route.sessions;
    if (query !== "") params.set("q", query);
    if (sort.column !== DEFAULT_SORT.column || sort.descending !== DEFAULT_SORT.descending)
      params.set("sort", `${sort.descending ? "-" : ""}${sort.column}`);
    if (by !== "user") params.set("by", by);
    if (session !== null) params.set("session", String(session));
    if (columns !== null) params.set("columns", columns.join(","));
  }
  if (route.view === "kill" && route.tab !== "kills") params.set("show", route.tab);
  return withQuery(`/instances/${route.instance}/nodes/${route.node}/${route.view}`, params);
}

function withQuery(path: string, params: URLSearchParams): string {
  const query = params.toString();
  return query === "" ? path : `${path}?${query}`;
}
