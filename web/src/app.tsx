/** Root component: authentication, scope and routing. */

import { QueryClientProvider } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import type { Session } from "./api/console.ts";
import { queryClient } from "./api/query.ts";
import { toError } from "./api/request.ts";
import { AuthProvider, type RenderSignIn, useAuth } from "./auth.tsx";
import { Failure, Loading } from "./components/status.tsx";
import { ToastList } from "./components/toasts.tsx";
import { useLanguage } from "./i18n/translate.ts";
import { navigate, useRoute } from "./routing/navigate.tsx";
import { readSetting, writeSetting } from "./storage.ts";
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
      <AuthProvider signIn={renderSignIn}>
        <QueryClientProvider client={queryClient}>
          <ScopedView />
        </QueryClientProvider>
      </AuthProvider>
      <ToastList />
    </>
  );
}

const renderSignIn: RenderSignIn = (expired, error, onSignedIn) => (
  <SignIn expired={expired} sessionError={error} onSignedIn={onSignedIn} />
);

/** Changes the session to the scope of the route, then renders the view. */
function ScopedView() {
  const route = useRoute();
  const { session, setScope } = useAuth();
  const [failure, setFailure] = useState<{ scope: string | null; error: Error } | null>(null);
  const [lastProject, setLastProject] = useState(() => readSetting("project"));
  const routeProject =
    "project" in route && session.projects.some(({ id }) => id === route.project) ? route.project : null;
  if (routeProject !== null && routeProject !== lastProject) setLastProject(routeProject);
  useEffect(() => {
    if (lastProject !== null) writeSetting("project", lastProject);
  }, [lastProject]);
  const requiredScope = route.view === "access" ? null : (routeProject ?? defaultProject(session, lastProject));
  const currentScope = session.project?.id ?? null;
  const changeScope = useCallback(
    () =>
      setScope(requiredScope).then(
        () => setFailure(null),
        (error: unknown) => setFailure({ scope: requiredScope, error: toError(error) }),
      ),
    [requiredScope, setScope],
  );
  useEffect(() => {
    if (requiredScope !== currentScope) void changeScope();
  }, [requiredScope, currentScope, changeScope]);
  // A link without a project refers to the current project.
  useEffect(() => {
    if ("project" in route && route.project === null && currentScope !== null)
      navigate({ ...route, project: currentScope }, "replace");
  }, [route, currentScope]);
  const ready =
    requiredScope === currentScope && !("project" in route && route.project === null && currentScope !== null);
  return (
    <Shell>
      {!ready ? (
        failure?.scope === requiredScope ? (
          <Failure error={failure.error} retry={() => void changeScope()} />
        ) : (
          <Loading />
        )
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

/** Project of a view whose URL names no project. `null` if the user has no project. */
function defaultProject({ project, projects }: Session, lastProject: string | null): string | null {
  return project?.id ?? projects.find(({ id }) => id === lastProject)?.id ?? projects[0]?.id ?? null;
}
