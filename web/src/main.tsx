import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "uplot/dist/uPlot.min.css";
import "./look/tokens.css";
import "./look/base.css";
import "./look/controls.css";
import "./look/shell.css";
import "./look/sessions.css";
import "./look/cure.css";
import { App } from "./app.tsx";
import { startTheme } from "./parts/theme.ts";

startTheme();
const page = document.getElementById("page");
if (page) {
  createRoot(page).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
