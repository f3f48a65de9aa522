/** What the page asks of Clew's own routes for it, and of those of the TaurusDB API. */

import type { Limitation } from "../live/events.ts";
import type { WaitGraph } from "../live/forest.ts";
import { asked, request } from "./request.ts";
import type * as Api from "./schema.ts";

/** Whose page it is, and where. Without a project the scope is the domain's. */
export type Session = Api.Session;

export interface Place {
  project: string;
  instance: string;
  node: string;
}

/** By the names of actions. */
export type Permissions = Api.Permissions["permissions"];

/** One session with all that is known of it. */
export type SessionDetail = Omit<Api.SessionDetail, "waits" | "limitations"> & { waits: WaitGraph; limitations: Limitation[] };

export type KillWhat = "connection" | "query";
export type KillOutcome = "would_kill" | "killed" | "gone" | "rolling_back" | "ending" | "refused" | "failed";
export type KillResult = Omit<Api.KillOfSession, "outcome"> & { outcome: KillOutcome };
/** A session as it was seen: whoever has its number by now is left alone. */
export type Victim = Api.Chosen;
export type KillEffect = Api.KillEffectView;
export type Collection = Api.NodeCollection;
export type Kill = Api.NodeKill;

const CONSOLE = "/clew/v1/console/session";
const ofInstance = ({ project, instance }: Omit<Place, "node">) => `/clew/v1/${project}/instances/${instance}`;
const ofNode = (place: Place) => `${ofInstance(place)}/nodes/${place.node}`;
const taurus = ({ project, instance }: Omit<Place, "node">) => `/v3/${project}/instances/${instance}`;
const taurusNode = (place: Place) => `${taurus(place)}/nodes/${place.node}`;

export const signIn = (domain: string, user: string, password: string) => request<Session>("POST", CONSOLE, { domain, user, password });
export const session = () => request<Session>("GET", CONSOLE);
export const signOut = () => request<void>("DELETE", CONSOLE);
export const toProject = (project: string | null) => request<Session>("POST", `${CONSOLE}/project`, { project_id: project });

export const instances = (project: string, offset: number, signal?: AbortSignal) =>
  request<Api.InstanceListAnswer>("GET", `/v3.1/${project}/instances${asked({ offset, limit: 100 })}`, undefined, signal);
export const instance = (project: string, id: string, signal?: AbortSignal) => request<Api.InstanceAnswer>("GET", `/v3.1/${project}/instances/${id}`, undefined, signal);
export const permissions = (project: string, id: string) => request<Api.Permissions>("GET", `${ofInstance({ project, instance: id })}/permissions`);
export const threshold = (project: string, id: string) => request<Api.SlowProcessThreshold>("GET", `${taurus({ project, instance: id })}/slow-process-threshold`);

export const streamOf = (place: Place, seconds: number) => `${ofNode(place)}/stream${asked({ interval: seconds })}`;
export const sessionOf = (place: Place, id: number, signal?: AbortSignal) => request<SessionDetail>("GET", `${ofNode(place)}/sessions/${id}`, undefined, signal);
export const explain = (place: Place, id: number) => request<Api.ExplainAnswer>("POST", `${ofNode(place)}/sessions/${id}/explain`);
export const locks = (place: Place, signal?: AbortSignal) => request<WaitGraph & { server: string }>("GET", `${ofNode(place)}/locks`, undefined, signal);

type KillAnswer = Omit<Api.KillAnswer, "sessions"> & { sessions: KillResult[] };

/** As many as one request takes. */
const KILLED_AT_ONCE = 1000;

export async function kill(place: Place, sessions: Victim[], what: KillWhat, reason: string, preview: boolean): Promise<KillAnswer> {
  const all: KillAnswer = { sessions: [], costs_unknown: null, warnings: [], effect: null };
  for (let from = 0; from < sessions.length; from += KILLED_AT_ONCE) {
    const some = sessions.slice(from, from + KILLED_AT_ONCE);
    const body: Api.KillBody = { sessions: some, what, reason, preview };
    if (preview && from > 0) body.other_victims = all.sessions.filter(({ outcome }) => outcome === "would_kill").map(({ id }) => id);
    const answer = await request<KillAnswer>("POST", `${ofNode(place)}/kill`, body);
    all.sessions.push(...answer.sessions);
    all.costs_unknown ??= answer.costs_unknown;
    // Only the last request counts all victims.
    all.warnings = answer.warnings;
    all.effect = sum(all.effect, answer.effect);
  }
  return all;
}

/** The effect of the kills of two requests. */
function sum(one: KillEffect | null, other: KillEffect | null): KillEffect | null {
  if (!one || !other) return one ?? other;
  const rows = one.rows_rolled_back === null || other.rows_rolled_back === null ? null : one.rows_rolled_back + other.rows_rolled_back;
  const unblocked = [...new Set([...one.unblocked, ...other.unblocked])];
  const waiting = [...new Set([...one.still_waiting, ...other.still_waiting])].filter((id) => !unblocked.includes(id));
  return { rows_rolled_back: rows, unblocked, still_waiting: waiting, unknown: one.unknown ?? other.unknown };
}

export const kills = (place: Place, limit: number, offset: number, signal?: AbortSignal) =>
  request<Api.NodeKills>("GET", `${ofNode(place)}/kills${asked({ limit, offset })}`, undefined, signal);

export const intelligentKills = (place: Place, signal?: AbortSignal) =>
  request<Api.IntelligentKillStatistics>("GET", `${taurus(place)}/intelligent-kill-session/statistic${asked({ node_id: place.node })}`, undefined, signal);
export const executeIntelligentKill = (place: Place) => request<Api.IntelligentKillTask>("POST", `${taurus(place)}/intelligent-kill-session`, { node_id: place.node });
export const intelligentHistory = (place: Place, signal?: AbortSignal) => {
  const now = Date.now();
  const query = asked({ node_id: place.node, start_time: now - 7 * 86_400_000, end_time: now + 60_000, limit: 50, offset: 0 });
  return request<Api.IntelligentKillHistories>("GET", `${taurus(place)}/intelligent-kill-session/history${query}`, undefined, signal);
};

export const killTasks = (place: Place, signal?: AbortSignal) => request<Api.KillTasks>("GET", `${taurus(place)}/process/task`, undefined, signal);
export const killSwitch = (place: Place, signal?: AbortSignal) => request<Api.KillSwitch>("GET", `${taurus(place)}/process/task/switch`, undefined, signal);
export const setKillSwitch = (place: Place, status: string) => request<void>("PUT", `${taurus(place)}/process/task/switch`, { status });
export const addKillTask = (place: Place, task: Api.AddKillTask) => request<Api.KillTaskAdded>("POST", `${taurus(place)}/process/task`, task);
export const stopKillTask = (place: Place, id: string) => request<Api.Success>("PUT", `${taurus(place)}/process/task`, { task_id: id });
export const previewKillTask = (place: Place, task: Record<string, string | number | boolean | null>) =>
  request<Api.Preview>("GET", `${taurus(place)}/process/task/preview${asked(task)}`);

export const collect = (place: Place, filters: Record<string, unknown>) => request<Api.Collecting>("POST", `${taurusNode(place)}/realtime-session`, filters);
export const statusOf = (place: Place, id: string) => request<Api.TaskStatusAnswer>("GET", `${taurusNode(place)}/realtime-session-task${asked({ request_id: id })}`);
export const resultOf = (place: Place, id: string) => `${taurusNode(place)}/realtime-session-result${asked({ request_id: id })}`;
export const collections = (place: Place, signal?: AbortSignal) => request<Api.NodeCollections>("GET", `${ofNode(place)}/collections`, undefined, signal);
export const deleteCollection = (place: Place, id: string) => request<void>("DELETE", `${ofNode(place)}/collections/${id}`);

/** What a policy has to allow. */
export const ACTIONS = {
  list: "gaussdbformysql:instance:listProcesses",
  kill: "gaussdbformysql:instance:deleteProcesses",
  deleteCollection: "gaussdbformysql:instance:deleteRealtimeSession",
  collect: "gaussdbformysql:instance:getRealtimeSession",
  text: "gaussdbformysql:instance:getRealtimeSessionText",
  showIntelligent: "gaussdbformysql:instance:showIntelligentKillSession",
  executeIntelligent: "gaussdbformysql:instance:executeIntelligentKillSession",
  readTasks: "gaussdbformysql:instance:get",
  changeTasks: "gaussdbformysql:instance:modify",
} as const;
