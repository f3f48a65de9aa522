/** Authentication state: the signed-in user, the scope, and the expiry of the session. */

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import * as api from "./api/console.ts";
import { ApiError, onReload, onSignedOut, setToken, toError } from "./api/request.ts";

interface Auth {
  session: api.Session;
  /** Changes the scope to a project, or to the domain if `null`. */
  setScope: (project: string | null) => Promise<void>;
  signOut: () => Promise<void>;
}

const AuthContext = createContext<Auth | null>(null);

export function useAuth(): Auth {
  const value = useContext(AuthContext);
  if (!value) throw new Error("useAuth requires an AuthProvider with a signed-in user");
  return value;
}

type AuthState =
  | { status: "loading" }
  | { status: "signed-out"; expired: boolean; error: Error | null }
  | { status: "signed-in"; session: api.Session };

/** Maximum delay of a browser timer. */
const MAX_TIMER_MS = 2_147_000_000;
/** Delay after the expiry of the session before it is checked. */
const EXPIRY_MARGIN_MS = 500;

export type RenderSignIn = (
  expired: boolean,
  error: Error | null,
  onSignedIn: (session: api.Session) => void,
) => ReactNode;

/** Renders its children for a signed-in user, and the sign-in form otherwise. */
export function AuthProvider({ children, signIn }: { children: ReactNode; signIn: RenderSignIn }) {
  const [state, setState] = useState<AuthState>({ status: "loading" });
  const onSignedIn = useCallback((session: api.Session) => {
    setToken(session.csrf_token);
    setState({ status: "signed-in", session });
  }, []);
  const expire = useCallback(
    () => setState((old) => (old.status === "signed-out" ? old : { status: "signed-out", expired: true, error: null })),
    [],
  );
  const reload = useCallback(async (): Promise<string | null> => {
    try {
      const session = await api.session();
      onSignedIn(session);
      return session.csrf_token;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401)
        setState((old) => ({ status: "signed-out", expired: old.status === "signed-in", error: null }));
      // A temporary outage of the server does not end the session.
      else
        setState((old) =>
          old.status === "loading" ? { status: "signed-out", expired: false, error: toError(error) } : old,
        );
      return null;
    }
  }, [onSignedIn]);

  useEffect(() => {
    onSignedOut(expire);
    onReload(reload);
    void reload();
  }, [reload, expire]);

  // Another tab may have changed the scope or signed out. Only the visible or focused window reloads the session: two windows side by side
  // with different projects would otherwise change the scope of each other in a loop.
  useEffect(() => {
    const onVisible = () => {
      if (!document.hidden && state.status === "signed-in") void reload();
    };
    document.addEventListener("visibilitychange", onVisible);
    window.addEventListener("focus", onVisible);
    return () => {
      document.removeEventListener("visibilitychange", onVisible);
      window.removeEventListener("focus", onVisible);
    };
  }, [reload, state.status]);

  const expiresAt = state.status === "signed-in" ? state.session.expires_at : null;
  useEffect(() => {
    if (expiresAt === null) return undefined;
    const remaining = Date.parse(expiresAt) - Date.now();
    if (Number.isNaN(remaining)) return undefined;
    const timer = setTimeout(() => void reload(), Math.min(Math.max(remaining, 0) + EXPIRY_MARGIN_MS, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  }, [expiresAt, reload]);

  const session = state.status === "signed-in" ? state.session : null;
  const value = useMemo<Auth | null>(
    () =>
      session && {
        session,
        setScope: async (project) => {
          if ((session.project?.id ?? null) !== project) onSignedIn(await api.setProject(project));
        },
        signOut: async () => {
          await api.signOut().catch(() => undefined);
          setState({ status: "signed-out", expired: false, error: null });
        },
      },
    [session, onSignedIn],
  );
  if (state.status === "loading") return null;
  if (!value)
    return (
      <>
        {signIn(
          state.status === "signed-out" && state.expired,
          state.status === "signed-out" ? state.error : null,
          onSignedIn,
        )}
      </>
    );
  return <AuthContext value={value}>{children}</AuthContext>;
}
