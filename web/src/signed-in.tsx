/** Who is signed in, in what scope, and what ends that. */

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import * as api from "./api/console.ts";
import { ApiError, onRenewal, onSignedOut, setToken } from "./api/request.ts";

interface SignedIn {
  session: api.Session;
  /** Changes the scope to a project, or to the domain; does nothing where it is that already. */
  scope: (project: string | null) => Promise<void>;
  signOut: () => Promise<void>;
}

const Context = createContext<SignedIn | null>(null);

export function useSignedIn(): SignedIn {
  const value = useContext(Context);
  if (!value) throw new Error("nobody is signed in here");
  return value;
}

type State = { at: "asking" } | { at: "out"; expired: boolean; failed: Error | null } | { at: "in"; session: api.Session };

/** Longer than this no timer of a browser can wait. */
const LONGEST_TIMER = 2_147_000_000;

export function Door({ children, signIn }: { children: ReactNode; signIn: (expired: boolean, failed: Error | null, entered: (session: api.Session) => void) => ReactNode }) {
  const [state, setState] = useState<State>({ at: "asking" });
  const entered = useCallback((session: api.Session) => {
    setToken(session.csrf_token);
    setState({ at: "in", session });
  }, []);
  const ended = useCallback((expired: boolean) => setState((old) => (old.at === "out" ? old : { at: "out", expired, failed: null })), []);
  const ask = useCallback(async (): Promise<string | null> => {
    try {
      const session = await api.session();
      entered(session);
      return session.csrf_token;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) setState((old) => ({ at: "out", expired: old.at === "in", failed: null }));
      // A server that is away for a moment ends no session.
      else setState((old) => (old.at === "asking" ? { at: "out", expired: false, failed: error as Error } : old));
      return null;
    }
  }, [entered]);

  useEffect(() => {
    onSignedOut(() => ended(true));
    onRenewal(ask);
    void ask();
  }, [ask, ended]);

  // Another tab may have changed the scope, or signed out, meanwhile. Only who is looked at asks: two windows side by side that want
  // different projects must not take the session from each other again and again.
  useEffect(() => {
    const seen = () => {
      if (!document.hidden && state.at === "in") void ask();
    };
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("focus", seen);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("focus", seen);
    };
  }, [ask, state.at]);

  const expires = state.at === "in" ? state.session.expires_at : null;
  useEffect(() => {
    if (expires === null) return undefined;
    const left = Date.parse(expires) - Date.now();
    if (Number.isNaN(left)) return undefined;
    const timer = setTimeout(() => void ask(), Math.min(Math.max(left, 0) + 500, LONGEST_TIMER));
    return () => clearTimeout(timer);
  }, [expires, ask]);

  const session = state.at === "in" ? state.session : null;
  const value = useMemo<SignedIn | null>(
    () =>
      session && {
        session,
        scope: async (project) => {
          if ((session.project?.id ?? null) !== project) entered(await api.toProject(project));
        },
        signOut: async () => {
          await api.signOut().catch(() => undefined);
          setState({ at: "out", expired: false, failed: null });
        },
      },
    [session, entered],
  );
  if (state.at === "asking") return null;
  if (!value) return <>{signIn(state.at === "out" && state.expired, state.at === "out" ? state.failed : null, entered)}</>;
  return <Context value={value}>{children}</Context>;
}
