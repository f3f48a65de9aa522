/** A secret that is shown once. */

import { CopyButton } from "../../parts/button.tsx";
import { useWords } from "../../words/words.ts";

export function Secret({ what, secret }: { what: string; secret: string }) {
  const t = useWords();
  return (
    <div className="stack" role="status">
      <p>{what}</p>
      <p className="row">
        <code className="secret">{secret}</code> <CopyButton text={secret} label={t("copy")} />
      </p>
      <p className="quiet">{t("secret.once")}</p>
    </div>
  );
}
