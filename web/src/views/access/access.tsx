/** Access and audit, for administrators. Their routes take the domain's scope, into which the page puts the session. */

import { Link } from "../../url/navigate.tsx";
import { ACCESS_VIEWS, type AccessView } from "../../url/route.ts";
import { useWords } from "../../words/words.ts";
import { Audit } from "./audit.tsx";
import { Groups } from "./groups.tsx";
import { Policies } from "./policies.tsx";
import { Simulate } from "./simulate.tsx";
import { Users } from "./users.tsx";

export function Access({ part, search }: { part: AccessView; search: string }) {
  const t = useWords();
  return (
    <>
      <header className="top">
        <h1>{t(part === "audit" ? "view.audit" : "view.access")}</h1>
        <nav className="tabs" aria-label={t("view.access")}>
          {ACCESS_VIEWS.map((one) => (
            <Link key={one} to={{ view: "access", part: one, search: "" }} aria-current={one === part ? "page" : undefined}>
              {t(`access.${one}`)}
            </Link>
          ))}
        </nav>
      </header>
      <div className="page">
        <div className="readable">
          {part === "users" && <Users search={search} />}
          {part === "groups" && <Groups />}
          {part === "policies" && <Policies />}
          {part === "simulate" && <Simulate />}
          {part === "audit" && <Audit search={search} />}
        </div>
      </div>
    </>
  );
}
