/** Root component: authentication, scope and routing. */

import { useEffect, useState } from "react";
import { toError } from "./api/request.ts";
import { AuthProvider, useAuth } from "./auth.tsx";
import { Failure, Loading } from "./components/status.tsx";
import { ToastList } from "./components/toasts.tsx";
import { useLanguage } from "./i18n/translate.ts";
import { navigate, useRoute } from "./routing/navigate.tsx";
import { Access } from "./views/access/access.tsx";
import { Instances } from "./views/instances.tsx";
import { NodeViews } from "./views/node.tsx";
import { Shell } from "./views/shell.tsx";
import { SignIn } from "./views/sign-in.tsx";

export function App() {
  const locale = useLanguage();
  useEffect(() => {
    document.documentElement.lang = locale === "zh-cn" ? "zh-Hans" : "en";
  }, [locale]);
  return (
    <>
      <AuthProvider
        signIn={(expired, error, onSignedIn) => (
          <SignIn expired={expired} sessionError={error} onSignedIn={onSignedIn} />
        )}
      >
        <ScopedView />
      </AuthProvider>
      <ToastList />
    </>
  );
}

/** Changes the session to the scope of the route, then renders the view. */
function ScopedView() {
  const route = useRoute();
  const { session, setScope } = useAuth();
  const [error, setError] = useState<Error | null>(null);
  const [attempt, setAttempt] = useState(0);
  const requiredScope = scopeOf(route.view === "access", "project" in route ? route.project : null, session);
  const currentScope = session.project?.id ?? null;
  useEffect(() => {
    setError(null);
    if (requiredScope !== currentScope) setScope(requiredScope).catch((failure: unknown) => setError(toError(failure)));
  }, [requiredScope, currentScope, setScope, attempt]);
  // A link without a project refers to the current project.
  useEffect(() => {
    if ("project" in route && route.project === null && currentScope !== null)
      navigate({ ...route, project: currentScope }, "replace");
  }, [route, currentScope]);
  const ready =
    requiredScope === currentScope && !("project" in route && route.project === null && currentScope !== null);
  return (
    <Shell>
      {error ? (
        <Failure error={error} retry={() => setAttempt((old) => old + 1)} />
      ) : !ready ? (
        <Loading />
      ) : route.view === "instances" ? (
        <Instances search={route.search} />
      ) : route.view === "access" ? (
        <Access part={route.part} search={route.search} />
      ) : (
        <NodeViews route={route} />
      )}
    </Shell>
  );
}

const LAST_PROJECT_KEY = "clew.project";

/** Returns the project of a route, or `null` for the domain. */
function scopeOf(
  domain: boolean,
  project: string | null,
  session: { project: { id: string } | null; projects: { id: string }[] },
): string | null {
  if (domain) return null;
  if (project !== null && session.projects.some(({ id }) => id === project)) {
    localStorage.setItem(LAST_PROJECT_KEY, project);
    return project;
  }
  if (session.project) return session.project.id;
  const lastProject = localStorage.getItem(LAST_PROJECT_KEY);
  return session.projects.find(({ id }) => id === lastProject)?.id ?? session.projects[0]?.id ?? null;
}
