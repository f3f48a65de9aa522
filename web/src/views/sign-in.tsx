/** Sign-in form. */

import { type SubmitEvent, useState } from "react";
import * as api from "../api/console.ts";
import { toError } from "../api/request.ts";
import { Button } from "../components/button.tsx";
import { Logo } from "../components/icons.tsx";
import { Note } from "../components/status.tsx";
import { useTranslation } from "../i18n/translate.ts";
import { readSetting, writeSetting } from "../storage.ts";
import { LanguageButton, ThemeButton } from "./preferences.tsx";

function loadLastSignIn(): { domain: string; user: string } {
  try {
    const { domain, user } = JSON.parse(readSetting("sign-in") ?? "{}") as {
      domain?: string;
      user?: string;
    };
    return { domain: domain ?? "", user: user ?? "" };
  } catch {
    return { domain: "", user: "" };
  }
}

export function SignIn({
  expired,
  sessionError,
  onSignedIn,
}: {
  expired: boolean;
  sessionError: Error | null;
  onSignedIn: (session: api.Session) => void;
}) {
  const t = useTranslation();
  const [lastSignIn] = useState(loadLastSignIn);
  const [domain, setDomain] = useState(lastSignIn.domain);
  const [user, setUser] = useState(lastSignIn.user);
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      const session = await api.signIn(domain.trim(), user.trim(), password);
      writeSetting("sign-in", JSON.stringify({ domain: domain.trim(), user: user.trim() }));
      onSignedIn(session);
    } catch (failure) {
      setError(failure instanceof TypeError ? t("failed.unreachable.what") : toError(failure).message);
      setPassword("");
      setBusy(false);
    }
  };

  return (
    <div className="sign-in">
      <main>
        <h1 className="brand">
          <Logo /> Clew
        </h1>
        {expired && <Note>{t("expired")}</Note>}
        {sessionError && !error && <Note bad>{t("failed.unreachable.what")}</Note>}
        <form onSubmit={(event) => void submit(event)} aria-label={t("sign-in")}>
          <label className="field">
            <span>{t("domain")}</span>
            <input
              className="input"
              name="domain"
              value={domain}
              onChange={(event) => setDomain(event.target.value)}
              autoComplete="organization"
              required
              autoFocus={lastSignIn.domain === ""}
            />
          </label>
          <label className="field">
            <span>{t("user")}</span>
            <input
              className="input"
              name="user"
              value={user}
              onChange={(event) => setUser(event.target.value)}
              autoComplete="username"
              required
              autoCapitalize="none"
              spellCheck={false}
            />
          </label>
          <label className="field">
            <span>{t("password")}</span>
            <input
              className="input"
              name="password"
              type="password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
              autoComplete="current-password"
              required
              autoFocus={lastSignIn.domain !== ""}
            />
          </label>
          {error && <Note bad>{error}</Note>}
          <Button kind="main" type="submit" aria-busy={busy}>
            {t(busy ? "sign-in.busy" : "sign-in")}
          </Button>
        </form>
        <footer>
          <LanguageButton />
          <ThemeButton />
        </footer>
      </main>
    </div>
  );
}
