/** The views of one node, and what they share: the place, what the viewer may do there, the live stream. */

import { createContext, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import * as api from "../api/console.ts";
import { answers, ApiError } from "../api/request.ts";
import { type Live, LiveStream, type Loss } from "../live/stream.ts";
import { useFetched } from "../parts/fetched.ts";
import type { Route } from "../url/route.ts";
import { type Say, useWords } from "../words/words.ts";
import { Collections } from "./collections/collections.tsx";
import { Cure } from "./cure/cure.tsx";
import { Locks } from "./locks/locks.tsx";
import { Sessions } from "./sessions/sessions.tsx";

export type NodeRoute = Extract<Route, { node: string }>;

interface NodeContext {
  place: api.Place;
  /** Why the viewer may not do that; nothing where it is allowed, or not known yet: the server decides anyway. */
  refusal: (action: string) => string | null;
  threshold: number | null;
}

const Context = createContext<NodeContext | null>(null);

export function useNode(): NodeContext {
  const value = useContext(Context);
  if (!value) throw new Error("no node is shown here");
  return value;
}

export function NodeViews({ route }: { route: NodeRoute }) {
  const t = useWords();
  const { instance, node } = route;
  const project = route.project ?? "";
  const place = useMemo(() => ({ project, instance, node }), [project, instance, node]);
  const permissions = useFetched(`permissions ${project} ${instance}`, () => api.permissions(project, instance), 60_000);
  const threshold = useFetched(`threshold ${project} ${instance}`, () => api.threshold(project, instance));
  const known = permissions.value?.permissions;
  const value = useMemo<NodeContext>(
    () => ({ place, refusal: (action) => refusalOf(known, action, t), threshold: threshold.value?.slow_process_threshold ?? null }),
    // `t` is another function each time; what it says follows `known`.
    [place, known, threshold.value],
  );
  return (
    <Context value={value}>
      {route.view === "sessions" && <Sessions key={node} route={route} />}
      {route.view === "locks" && <Locks key={node} route={route} />}
      {route.view === "cure" && <Cure key={node} route={route} />}
      {route.view === "collections" && <Collections key={node} />}
    </Context>
  );
}

function refusalOf(known: api.Permissions | undefined, action: string, t: Say): string | null {
  const found = known?.[action];
  if (!found || found.allowed) return null;
  return found.reason ?? t("missing", { action });
}

/** The live stream of the node that is shown. */
export function useLive(): Live & { again: () => void } {
  const { place } = useNode();
  const stream = useMemo(() => new LiveStream(api.streamOf(place, 1), whyLost), [place]);
  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, [stream]);
  return { ...useSyncExternalStore(stream.subscribe, stream.now), again: stream.again };
}

/** Asks for the stream as for any other answer, and reads no more of it than whether it is one. */
async function whyLost(url: string): Promise<Loss> {
  try {
    await answers(url);
    return { kind: "passing" };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500) return { kind: "passing" };
    if (error.status === 429) return { kind: "passing", error };
    return error.status === 401 ? { kind: "signed-out" } : { kind: "refused", error };
  }
}
