/** The page as a whole: the door, then the place that the URL names. */

import { useEffect, useState } from "react";
import { Failure, Loading } from "./parts/states.tsx";
import { ToldList } from "./parts/told.tsx";
import { Door, useSignedIn } from "./signed-in.tsx";
import { go, useRoute } from "./url/navigate.tsx";
import { Access } from "./views/access/access.tsx";
import { Instances } from "./views/instances.tsx";
import { NodeViews } from "./views/node.tsx";
import { Shell } from "./views/shell.tsx";
import { SignIn } from "./views/sign-in.tsx";
import { useLanguage } from "./words/words.ts";

export function App() {
  const spoken = useLanguage();
  useEffect(() => {
    document.documentElement.lang = spoken === "zh-cn" ? "zh-Hans" : "en";
  }, [spoken]);
  return (
    <>
      <Door signIn={(expired, failed, entered) => <SignIn expired={expired} failed={failed} entered={entered} />}>
        <Scoped />
      </Door>
      <ToldList />
    </>
  );
}

/** Puts the session into the scope that the place needs before the place is shown. */
function Scoped() {
  const route = useRoute();
  const { session, scope } = useSignedIn();
  const [failed, setFailed] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const wanted = wantedScope(route.view === "access", "project" in route ? route.project : null, session);
  const there = session.project?.id ?? null;
  useEffect(() => {
    setFailed(null);
    if (wanted !== there) scope(wanted).catch((error: unknown) => setFailed(error as Error));
  }, [wanted, there, scope, turn]);
  // A link without a project is of the one the viewer is in.
  useEffect(() => {
    if ("project" in route && route.project === null && there !== null) go({ ...route, project: there }, "replace");
  }, [route, there]);
  const ready = wanted === there && !("project" in route && route.project === null && there !== null);
  return (
    <Shell>
      {failed ? (
        <Failure error={failed} again={() => setTurn((old) => old + 1)} />
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

const LAST_PROJECT = "clew.project";

function wantedScope(domain: boolean, asked: string | null, session: { project: { id: string } | null; projects: { id: string }[] }): string | null {
  if (domain) return null;
  if (asked !== null && session.projects.some(({ id }) => id === asked)) {
    localStorage.setItem(LAST_PROJECT, asked);
    return asked;
  }
  if (session.project) return session.project.id;
  const kept = localStorage.getItem(LAST_PROJECT);
  return session.projects.find(({ id }) => id === kept)?.id ?? session.projects[0]?.id ?? null;
}
