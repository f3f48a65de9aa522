// Client of the stage: the Rust test that started this process and owns the database server and `clew serve`. A command is a line of
// JSON on stdout that begins with "? "; the response is a line on stdin.
import { createInterface } from "node:readline";

/** Settings: endpoint, domain, user, password, project, instance, node. */
export const stage = JSON.parse(process.env.CLEW_STAGE ?? "{}");

const responses = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let queue = Promise.resolve();

/** Sends a command to the stage and returns its response. Commands run one at a time. */
export function callStage(command, parameters = {}) {
  const response = queue.then(async () => {
    process.stdout.write(`? ${JSON.stringify({ command, ...parameters })}\n`);
    const { value, done } = await responses.next();
    if (done) throw new Error("the stage has terminated");
    const result = JSON.parse(value);
    if (result.error) throw new Error(`${command}: ${result.error}`);
    return result;
  });
  queue = response.catch(() => undefined);
  return response;
}

const tokens = new Map();

/** Returns an API token for a project. */
export async function projectToken(user = stage.user, password = stage.password, project = stage.project) {
  const key = `${user} ${project}`;
  if (tokens.has(key)) return tokens.get(key);
  const scope = { project: { id: project } };
  const identity = {
    methods: ["password"],
    password: { user: { name: user, password, domain: { name: stage.domain } } },
  };
  const response = await fetch(`${stage.endpoint}/v3/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ auth: { identity, scope } }),
  });
  if (!response.ok) throw new Error(`sign-in of ${user}: ${response.status} ${await response.text()}`);
  tokens.set(key, response.headers.get("x-subject-token"));
  return tokens.get(key);
}

/** Returns a domain token of the administrator from the sign-in of the page. Changes of identities require such a token. */
async function consoleToken() {
  if (tokens.has("console")) return tokens.get("console");
  const post = async (path, headers, body) => {
    const response = await fetch(stage.endpoint + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return /=([^;]*)/.exec(response.headers.get("set-cookie"))[1];
  };
  const session = "/clew/v1/console/session";
  const token = await post(session, {}, { domain: stage.domain, user: stage.user, password: stage.password });
  tokens.set("console", await post(`${session}/project`, { "x-auth-token": token }, { project_id: null }));
  return tokens.get("console");
}

/** Calls the API as the administrator, with a domain token for paths of the administration. */
export async function callApi(method, path, body) {
  const domain = path.startsWith("/clew/v1/") && !path.startsWith(`/clew/v1/${stage.project}`);
  const token = domain ? await consoleToken() : await projectToken();
  const headers = { "x-auth-token": token, "content-type": "application/json" };
  const response = await fetch(stage.endpoint + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
}

/** Creates a user with a policy that allows the actions in the project. */
export async function createUser(name, actions) {
  const password = `Word-${name}-Of-9-Letters`;
  const { id } = await callApi("POST", "/clew/v1/users", { name, password });
  const document = { Version: "5.0", Statement: [{ Effect: "Allow", Action: actions, Resource: ["*"] }] };
  await callApi("PUT", `/clew/v1/policies/${name}`, { document });
  await callApi("POST", `/clew/v1/policies/${name}/attachments`, { user_id: id });
  return { name, password };
}
