/** Secret that is displayed only once. */

import { CopyButton } from "../../components/button.tsx";
import { useTranslation } from "../../i18n/translate.ts";

export function Secret({ label, secret }: { label: string; secret: string }) {
  const t = useTranslation();
  return (
    <div className="stack" role="status">
      <p>{label}</p>
      <p className="row">
        <code className="secret">{secret}</code> <CopyButton text={secret} label={t("copy")} />
      </p>
      <p className="quiet">{t("secret.shown-once")}</p>
    </div>
  );
}
