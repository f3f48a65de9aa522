/** The door: domain, user, password. */

import { type FormEvent, useState } from "react";
import * as api from "../api/console.ts";
import { Button } from "../parts/button.tsx";
import { Mark } from "../parts/icons.tsx";
import { Note } from "../parts/states.tsx";
import { useWords } from "../words/words.ts";
import { LanguageButton, ThemeButton } from "./preferences.tsx";

const KEPT = "clew.sign-in";

function kept(): { domain: string; user: string } {
  try {
    const { domain, user } = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as { domain?: string; user?: string };
    return { domain: domain ?? "", user: user ?? "" };
  } catch {
    return { domain: "", user: "" };
  }
}

export function SignIn({ expired, failed, entered }: { expired: boolean; failed: Error | null; entered: (session: api.Session) => void }) {
  const t = useWords();
  const [first] = useState(kept);
  const [domain, setDomain] = useState(first.domain);
  const [user, setUser] = useState(first.user);
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setRefusal(null);
    try {
      const session = await api.signIn(domain.trim(), user.trim(), password);
      localStorage.setItem(KEPT, JSON.stringify({ domain: domain.trim(), user: user.trim() }));
      entered(session);
    } catch (error) {
      setRefusal(error instanceof TypeError ? t("failed.away.what") : (error as Error).message);
      setPassword("");
      setBusy(false);
    }
  };

  return (
    <div className="door">
      <main>
        <h1 className="brand">
          <Mark /> Clew
        </h1>
        {expired && <Note>{t("expired")}</Note>}
        {failed && !refusal && <Note bad>{t("failed.away.what")}</Note>}
        <form onSubmit={(event) => void submit(event)} aria-label={t("sign-in")}>
          <label className="field">
            <span>{t("domain")}</span>
            <input className="input" name="domain" value={domain} onChange={(event) => setDomain(event.target.value)} autoComplete="organization" required autoFocus={first.domain === ""} />
          </label>
          <label className="field">
            <span>{t("user")}</span>
            <input className="input" name="user" value={user} onChange={(event) => setUser(event.target.value)} autoComplete="username" required autoCapitalize="none" spellCheck={false} />
          </label>
          <label className="field">
            <span>{t("password")}</span>
            <input className="input" name="password" type="password" value={password} onChange={(event) => setPassword(event.target.value)} autoComplete="current-password" required autoFocus={first.domain !== ""} />
          </label>
          {refusal && <Note bad>{refusal}</Note>}
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
