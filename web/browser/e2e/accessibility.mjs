// Accessibility: axe reports no serious violation in any view, and every view works with the keyboard alone.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { sessionRow, nodePath, waitUntil, withPage } from "../browser.mjs";
import { callStage, stage } from "../stage.mjs";

const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

async function runAxe(page, view) {
  // Evaluated through the debugger protocol, to which the Content-Security-Policy does not apply.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(
    ({ id, nodes }) =>
      `${view}: ${id}: ${nodes
        .slice(0, 3)
        .map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`)
        .join(" | ")}`,
  );
}

async function checkViews(theme, viewport) {
  const allViolations = [];
  await withPage({ colorScheme: theme, viewport }, async (page) => {
    await page.goto(`${stage.endpoint}/`);
    await page.getByLabel("Password").waitFor();
    allViolations.push(...(await runAxe(page, "sign-in")));
    const { ids } = await callStage("create_lock_chain");
    await page.getByLabel("Domain").fill(stage.domain);
    await page.getByLabel("User", { exact: true }).fill(stage.user);
    await page.getByLabel("Password").fill(stage.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Instances" }).waitFor();
    const views = [
      "/instances",
      nodePath("sessions"),
      nodePath("sessions", `?session=${ids[1]}&by=template`),
      nodePath("locks"),
      nodePath("kill"),
      nodePath("kill", "?show=intelligent"),
      nodePath("kill", "?show=tasks"),
      nodePath("collections"),
      "/access/users",
      "/access/groups",
      "/access/policies",
      "/access/simulate",
      "/access/audit",
    ];
    for (const view of views) {
      await page.goto(stage.endpoint + view);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await waitUntil("the view is loaded", async () => (await page.locator(".skeleton").count()) === 0);
      allViolations.push(...(await runAxe(page, view)));
    }
    await page.goto(stage.endpoint + nodePath("locks"));
    await page.getByRole("button", { name: /^Kill/ }).first().click();
    await page.getByText("will be killed").waitFor();
    allViolations.push(...(await runAxe(page, "kill")));
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    allViolations.push(...(await runAxe(page, "keys")));
    await callStage("end_all_sessions");
  });
  assert.deepEqual(allViolations, []);
}

export const tests = {
  "axe reports no serious violation in the light theme": () => checkViews("light", { width: 1280, height: 800 }),
  "axe reports no serious violation in the dark theme": () => checkViews("dark", { width: 1280, height: 800 }),
  "axe reports no serious violation at phone width": () => checkViews("light", { width: 390, height: 844 }),

  "keyboard alone: sign in, select a node, filter, open a session, pause, kill, navigate": () =>
    withPage({}, async (page) => {
      const victim = await callStage("start_session", { user: "app", sql: "SELECT 'by keyboard', SLEEP(600)" });
      const other = await callStage("start_session", { user: "web", sql: "SELECT SLEEP(600)" });
      const press = (...keys) =>
        keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
      const tabTo = (description, focused) =>
        waitUntil(description, async () => (await focused()) || (await press("Tab"), false));
      const active = () =>
        page.evaluate(() => (document.activeElement?.matches("a, button") ? document.activeElement.textContent : ""));
      await page.goto(`${stage.endpoint}/`);
      await page.getByLabel("Domain").waitFor();
      await page.keyboard.type(stage.domain);
      await press("Tab");
      await page.keyboard.type(stage.user);
      await press("Tab");
      await page.keyboard.type(stage.password);
      await press("Enter");
      await page.getByRole("link", { name: /master/ }).waitFor();
      await tabTo("the node has the focus", async () => /master/.test(await active()));
      await press("Enter");
      await sessionRow(page, victim.id).waitFor();

      await press("/");
      // Wait for the completions before selecting one.
      await page.keyboard.type("us");
      await page.getByRole("option", { name: /^user:/ }).waitFor();
      await press("ArrowDown", "Enter");
      await page.keyboard.type("ap");
      await page.getByRole("option", { name: /user:app/ }).waitFor();
      await press("ArrowDown", "Enter", "Enter");
      await sessionRow(page, other.id).waitFor({ state: "detached" });
      // Sessions of earlier tests may take a moment to end.
      await waitUntil("the victim is the only line", async () => (await page.locator("[id^=session-]").count()) === 1);
      await press("j", "Enter");
      const drawer = page.getByRole("complementary", { name: `Session ${victim.id}` });
      await drawer.waitFor();
      await press("Escape");
      await drawer.waitFor({ state: "detached" });
      await press("p");
      await page.getByRole("button", { name: "Resume" }).waitFor();
      await press("p");
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await press("c");
      await page.getByRole("checkbox", { name: "Session", exact: true }).waitFor();
      await press("Escape");

      await press("j", "x", "Shift+K");
      const dialog = page.getByRole("dialog");
      await dialog.getByText("will be killed").waitFor();
      await tabTo("the kill has the focus", async () => (await active()) === "Kill 1 connection");
      await press("Enter");
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await waitUntil("it is gone", async () => !(await callStage("session_state", { id: victim.id })).alive);
      await press("Escape");
      await dialog.waitFor({ state: "detached" });

      for (const [key, heading] of [
        ["l", "Lock waits"],
        ["k", "Kill sessions"],
        ["e", "Collections"],
        ["s", "Sessions"],
        ["a", "Access"],
        ["i", "Instances"],
      ]) {
        await press("g", key);
        await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      }
      await press("?");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
      await press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      assert.ok((await callStage("session_state", { id: other.id })).alive);
      await callStage("end_all_sessions");
    }),
};
