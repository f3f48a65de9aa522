// Permissions: read-only users see which permission is missing; administrators see access and audit.
import assert from "node:assert/strict";
import { sessionRow, nodePath, open, withPage } from "../browser.mjs";
import { callStage, createUser, stage } from "../stage.mjs";

const KILL_ACTION = "gaussdbformysql:instance:deleteProcesses";

export const tests = {
  "user without the kill permission sees the button and the missing permission": () =>
    withPage({}, async (page) => {
      const reader = await createUser("reader", [
        "gaussdbformysql:instance:list*",
        "gaussdbformysql:instance:get*",
        "gaussdbformysql:instance:show*",
      ]);
      const { id } = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions", `?session=${id}`), reader.name, reader.password);
      const drawer = page.getByRole("complementary", { name: `Session ${id}` });
      const kill = drawer.getByRole("button", { name: /^Kill/ });
      await drawer.locator(".missing", { hasText: KILL_ACTION }).waitFor();
      assert.equal(await kill.getAttribute("aria-disabled"), "true");
      await kill.click({ force: true });
      assert.equal(await page.getByRole("dialog").count(), 0);
      assert.ok((await callStage("session_state", { id })).alive);
      assert.equal(await page.getByRole("link", { name: "Audit" }).count(), 0);
      await page.goto(stage.endpoint + nodePath("kill", "?show=tasks"));
      await page.locator(".missing", { hasText: "gaussdbformysql:instance:modify" }).waitFor();
      await page.goto(stage.endpoint + nodePath("kill", "?show=intelligent"));
      await page.locator(".missing", { hasText: "gaussdbformysql:instance:executeIntelligentKillSession" }).waitFor();
      await callStage("end_session", { id });
    }),

  'user without permissions sees "Access denied"': () =>
    withPage({}, async (page) => {
      const guest = await createUser("guest", ["gaussdbformysql:instance:getSlowProcessThreshold"]);
      await open(page, nodePath("locks"), guest.name, guest.password);
      await page.getByText("Access denied", { exact: true }).waitFor();
      await page.getByRole("link", { name: "Sessions", exact: true }).click();
      await page.getByText("Access denied", { exact: true }).waitFor();
    }),

  "administrator creates a user, simulates a policy, and finds the events in the audit": () =>
    withPage({}, async (page) => {
      await open(page, "/access/users");
      await page.getByRole("button", { name: "Create user" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("newcomer");
      await dialog.getByRole("button", { name: "Create user" }).click();
      await dialog.getByText("Password for newcomer").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("heading", { name: "newcomer" }).waitFor();
      await page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Policy simulation" }).click();
      await page
        .getByRole("form", { name: "Policy simulation" })
        .locator("select")
        .first()
        .selectOption({ label: "newcomer" });
      await page.getByRole("button", { name: "Run simulation" }).click();
      await page.getByText("Denied").waitFor();
      await page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Audit" }).click();
      // The newest event is first.
      await page.getByRole("row").nth(1).getByText("CreateUser").waitFor();
      await page.getByRole("searchbox").fill("operation:CreateUser");
      await page
        .getByRole("cell", { name: /CreateUser/ })
        .first()
        .waitFor();
      await page.getByRole("button", { name: "Verify audit log" }).click();
      await page.getByText(/Verified: /).waitFor();
    }),

  "policy editor validates while typing": () =>
    withPage({}, async (page) => {
      await open(page, "/access/policies");
      await page.getByRole("button", { name: "Create policy" }).click();
      await page.getByLabel("Name").fill("from-the-page");
      await page.getByLabel("Policy document").fill('{"Version":"5.0","Statement":[{"Effect":"Perhaps"}]}');
      await page.getByRole("alert").first().waitFor();
      assert.equal(await page.getByRole("button", { name: "Save" }).getAttribute("aria-disabled"), "true");
      await page
        .getByLabel("Policy document")
        .fill(
          '{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["gaussdbformysql:instance:listProcesses"],"Resource":["*"]}]}',
        );
      await page.getByRole("alert").first().waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "from-the-page" }).waitFor();
      await page.getByLabel("Attach to…").selectOption({ label: "user reader" });
      await page.getByRole("button", { name: "Detach the policy from reader" }).waitFor();
    }),

  "sessions are displayed after leaving the administration": () =>
    withPage({}, async (page) => {
      await open(page, "/access/users");
      await page.getByRole("heading", { name: stage.user }).waitFor();
      const { id } = await callStage("start_session", { user: "app", sql: "SELECT SLEEP(600)" });
      await page.getByRole("link", { name: "Clew" }).click();
      await page.getByRole("link", { name: /master/ }).click();
      await sessionRow(page, id).waitFor();
      await callStage("end_session", { id });
    }),
};
