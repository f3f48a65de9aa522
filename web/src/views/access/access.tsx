/** Access and audit views for administrators. Their API routes require the scope of the domain. */

import { useTranslation } from "../../i18n/translate.ts";
import { Link } from "../../routing/navigate.tsx";
import { ACCESS_VIEWS, type AccessView } from "../../routing/route.ts";
import { Audit } from "./audit.tsx";
import { Groups } from "./groups.tsx";
import { Policies } from "./policies.tsx";
import { Simulate } from "./simulate.tsx";
import { Users } from "./users.tsx";

export function Access({ part, search }: { part: AccessView; search: string }) {
  const t = useTranslation();
  return (
    <>
      <header className="top">
        <h1>{t(part === "audit" ? "view.audit" : "view.access")}</h1>
        <nav className="tabs" aria-label={t("view.access")}>
          {ACCESS_VIEWS.map((one) => (
            <Link
              key={one}
              to={{ view: "access", part: one, search: "" }}
              aria-current={one === part ? "page" : undefined}
            >
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
