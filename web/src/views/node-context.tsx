/** Context of the node on display: its identifiers, the caller's permissions, the live stream. */

import { createContext, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import * as api from "../api/console.ts";
import { ApiError, checkAvailable } from "../api/request.ts";
import { type Live, LiveStream, type StreamFailure } from "../live/stream.ts";
import type { Route } from "../routing/route.ts";

export type NodeRoute = Extract<Route, { node: string }>;

interface NodeState {
  nodeRef: api.NodeRef;
  /** Reason for denying an action. `null` if the action is allowed or the permissions are not loaded yet; the server checks every request. */
  refusal: (action: string) => string | null;
  /** Slow-session threshold of the instance in seconds; `null` until it is loaded. */
  threshold: number | null;
}

export const NodeContext = createContext<NodeState | null>(null);

export function useNode(): NodeState {
  const value = useContext(NodeContext);
  if (!value) throw new Error("useNode requires a NodeContext");
  return value;
}

/** Subscribes to the live stream of the node while the component is mounted. */
export function useLive(): Live & { reconnect: () => void } {
  const { nodeRef } = useNode();
  const stream = useMemo(() => new LiveStream(api.streamUrl(nodeRef, 1), diagnoseFailure), [nodeRef]);
  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, [stream]);
  return { ...useSyncExternalStore(stream.subscribe, stream.current), reconnect: stream.reconnect };
}

/** Requests the stream URL with `fetch`, which reports the status that `EventSource` hides. */
async function diagnoseFailure(url: string): Promise<StreamFailure> {
  try {
    await checkAvailable(url);
    return { kind: "temporary" };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500) return { kind: "temporary" };
    if (error.status === 429) return { kind: "temporary", error };
    return error.status === 401 ? { kind: "signed-out" } : { kind: "refused", error };
  }
}
