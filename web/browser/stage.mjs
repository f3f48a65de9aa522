// The stage is the Rust test that started this: it has the database server and `clew serve`. It is asked by a line of JSON on
// stdout that begins with "? ", and answers by a line on stdin.
import { createInterface } from "node:readline";

/** Where everything is: endpoint, domain, user, password, project, instance, node. */
export const place = JSON.parse(process.env.CLEW_STAGE ?? "{}");

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let turn = Promise.resolve();

/** Asks the stage for something; one question at a time. */
export function ask(what, more = {}) {
  const answer = turn.then(async () => {
    process.stdout.write(`? ${JSON.stringify({ what, ...more })}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error("the stage is gone");
    const read = JSON.parse(value);
    if (read.error) throw new Error(`${what}: ${read.error}`);
    return read;
  });
  turn = answer.catch(() => undefined);
  return answer;
}

const tokens = new Map();

/** A token of the API for the project. */
export async function tokenOf(user = place.user, password = place.password, project = place.project) {
  const key = `${user} ${project}`;
  if (tokens.has(key)) return tokens.get(key);
  const scope = { project: { id: project } };
  const identity = { methods: ["password"], password: { user: { name: user, password, domain: { name: place.domain } } } };
  const response = await fetch(`${place.endpoint}/v3/auth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ auth: { identity, scope } }) });
  if (!response.ok) throw new Error(`signing ${user} in: ${response.status} ${await response.text()}`);
  tokens.set(key, response.headers.get("x-subject-token"));
  return tokens.get(key);
}

/** A token of the administrator for the domain, from the sign-in of the page: only such a token changes identities. */
async function consoleToken() {
  if (tokens.has("console")) return tokens.get("console");
  const post = async (path, headers, body) => {
    const response = await fetch(place.endpoint + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return /=([^;]*)/.exec(response.headers.get("set-cookie"))[1];
  };
  const session = "/clew/v1/console/session";
  const token = await post(session, {}, { domain: place.domain, user: place.user, password: place.password });
  tokens.set("console", await post(`${session}/project`, { "x-auth-token": token }, { project_id: null }));
  return tokens.get("console");
}

/** Calls the API as the administrator; by a token for the domain where the path is of the administration. */
export async function call(method, path, body) {
  const domain = path.startsWith("/clew/v1/") && !path.startsWith(`/clew/v1/${place.project}`);
  const token = domain ? await consoleToken() : await tokenOf();
  const headers = { "x-auth-token": token, "content-type": "application/json" };
  const response = await fetch(place.endpoint + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
}

/** A user with a policy that allows these actions in the project. */
export async function user(name, actions) {
  const password = `Word-${name}-Of-9-Letters`;
  const { id } = await call("POST", "/clew/v1/users", { name, password });
  const document = { Version: "5.0", Statement: [{ Effect: "Allow", Action: actions, Resource: ["*"] }] };
  await call("PUT", `/clew/v1/policies/${name}`, { document });
  await call("POST", `/clew/v1/policies/${name}/attachments`, { user_id: id });
  return { name, password };
}
