// Takes screenshots of every view in both languages and themes. `CLEW_SCREENSHOTS=DIR` saves them, for docs/page.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sessionRow, nodePath, signIn, waitUntil, withPage } from "../browser.mjs";
import { callApi, callStage, createUser, stage } from "../stage.mjs";

const STATEMENTS = [
  "SELECT o.id, o.total, c.name, SLEEP(600) FROM (SELECT 1 AS id, 9.5 AS total, 1 AS customer_id) o JOIN (SELECT 1 AS id, 'Amy' AS name) c ON c.id = o.customer_id WHERE o.id IN (1, 2, 3) ORDER BY o.id DESC LIMIT 50",
  "SELECT SLEEP(600) FROM DUAL WHERE 'click' = 'click'",
  "SELECT COUNT(*), SLEEP(600) FROM information_schema.schemata WHERE schema_name LIKE 'shop%'",
];

const VIEWS = [
  ["instances", () => "/instances"],
  ["sessions", () => nodePath("sessions")],
  ["session", (ids) => nodePath("sessions", `?session=${ids[1]}&by=template`)],
  ["locks", () => nodePath("locks")],
  ["kill", () => nodePath("locks")],
  ["kills", () => nodePath("kill")],
  ["intelligent-kill", () => nodePath("kill", "?show=intelligent")],
  ["kill-tasks", () => nodePath("kill", "?show=tasks")],
  ["collections", () => nodePath("collections")],
  ["users", () => "/access/users"],
  ["groups", () => "/access/groups"],
  ["policies", () => "/access/policies"],
  ["simulate", () => "/access/simulate"],
  ["audit", () => "/access/audit"],
];

async function takeScreenshot(page, name) {
  const folder = process.env.CLEW_SCREENSHOTS;
  const debug = await page.context().newCDPSession(page);
  const { data } = await debug.send("Page.captureScreenshot", { format: "webp", quality: 32 });
  if (folder) await writeFile(join(folder, `${name}.webp`), Buffer.from(data, "base64"));
}

async function prepareData() {
  const { ids } = await callStage("create_lock_chain");
  for (let at = 0; at < 21; at += 1)
    await callStage("start_session", { user: at % 3 === 0 ? "web" : "app", sql: STATEMENTS[at % 3] });
  await createUser("ben.dev", ["gaussdbformysql:instance:list*", "gaussdbformysql:instance:get*"]);
  await callApi("POST", "/clew/v1/groups", { name: "developers", description: "Read-only access" });
  const api = `/v3/${stage.project}/instances/${stage.instance}`;
  await callApi("PUT", `${api}/process/task/switch`, { status: "ON" });
  await callApi("POST", `${api}/process/task`, {
    user: "nightly",
    time: 3600,
    task_type: "auto",
    task_duration: 86400,
  });
  for (const filter of ["total", "active"])
    await callApi("POST", `${api}/nodes/${stage.node}/realtime-session`, { filter });
  const victim = await callStage("start_session", { user: "app", sql: STATEMENTS[1] });
  const node = `/clew/v1/${stage.project}/instances/${stage.instance}/nodes/${stage.node}`;
  const { id, user: account, host } = await callApi("GET", `${node}/sessions/${victim.id}`);
  await callApi("POST", `${node}/kill`, {
    sessions: [{ id, user: account, host }],
    what: "connection",
    reason: "INC-2231, requested by the shop team",
    preview: false,
  });
  // A session is slow after ten seconds.
  await new Promise((done) => setTimeout(done, 11_000));
  return ids;
}

async function takeScreenshots(ids, language, theme) {
  const fileName = (name) => `${name}-${language}-${theme}`;
  await withPage({ viewport: { width: 1100, height: 640 } }, async (page, context) => {
    await context.addInitScript(
      ([storedLanguage, storedTheme]) => {
        localStorage.setItem("clew.theme", storedTheme);
        localStorage.setItem(
          "clew.language",
          localStorage.getItem("clew.language") === null ? "en-us" : storedLanguage,
        );
      },
      [language === "zh" ? "zh-cn" : "en-us", theme],
    );
    await page.goto(`${stage.endpoint}/`);
    await page.getByLabel("Password").waitFor();
    await page.reload();
    await page.locator("input[type=password]").waitFor();
    await takeScreenshot(page, fileName("sign-in"));
    await page.evaluate(() => localStorage.removeItem("clew.language"));
    await page.reload();
    await signIn(page);
    for (const [name, path] of VIEWS) {
      await page.goto(stage.endpoint + path(ids));
      await page.locator("h1").first().waitFor();
      await waitUntil("the view is loaded", async () => (await page.locator(".skeleton").count()) === 0);
      if (name === "sessions" || name === "session") await sessionRow(page, ids[1]).waitFor();
      if (name === "sessions") await page.waitForTimeout(4000);
      if (name === "kill") {
        await page.locator(".root .button.kill").first().click();
        await page.locator("dialog .victims").waitFor();
      }
      await page.waitForTimeout(600);
      await takeScreenshot(page, fileName(name));
    }
  });
}

export const tests = {
  "screenshots of every view in both languages and themes": async () => {
    const ids = await prepareData();
    for (const language of ["en", "zh"])
      for (const theme of ["light", "dark"]) await takeScreenshots(ids, language, theme);
    await withPage({ viewport: { width: 390, height: 780 } }, async (page) => {
      await page.goto(stage.endpoint + nodePath("sessions"));
      await page.getByLabel("Domain").fill(stage.domain);
      await page.getByLabel("User", { exact: true }).fill(stage.user);
      await page.getByLabel("Password").fill(stage.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("grid").waitFor();
      for (const name of ["sessions", "locks"]) {
        await page.goto(stage.endpoint + nodePath(name));
        await page.waitForTimeout(3000);
        await takeScreenshot(page, `${name}-narrow`);
      }
    });
    await callStage("end_all_sessions");
  },
};
