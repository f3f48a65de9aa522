# Messages of the API in English. Each id is in both files. `detail` is a sentence, or empty.

invalid-parameter = Parameter error. { $detail }
invalid-id = Invalid DB instance ID or node ID format. { $detail }
unknown-task = The job does not exist. { $detail }
no-result = There is no result. { $detail }
foreign-project = Resource not found or permission denied. { $detail }
unknown-instance = The DB instance does not exist. { $detail }
unknown-node = Resource not found. { $detail }
queue-full = Another operation is being performed on the DB instance. { $detail }
internal = Server error. { $detail }
no-such-api = The API does not exist. { $detail }
bad-request = API request error. { $detail }
body-too-large = Request entity too large. { $detail }
range-not-satisfiable = Range not satisfiable. { $detail }
not-authenticated = Incorrect IAM authentication information: { $detail }
token-expired = The token must be updated. { $detail }
unavailable = Backend unavailable. { $detail }
iam-invalid-body = Request body is invalid. { $detail }
iam-missing-field = { $detail } is a required property.
iam-wrong-password = The request you have made requires authentication. { $detail }
iam-forbidden-scope = You are not authorized to perform the requested action. { $detail }
iam-invalid-parameter = Invalid parameter. { $detail }
iam-internal = An unexpected error prevented the server from fulfilling your request. { $detail }

parameter-not-one-of = { $field } cannot be "{ $given }"; it is one of { $allowed }.
parameter-length = { $field } has { $length } characters; it takes { $min } to { $max }.
parameter-range = { $field } cannot be { $given }; it is { $min } to { $max }.
parameter-missing = { $field } is missing.
parameter-repeated = { $field } is there more than once.
parameter-form = { $field } cannot be "{ $given }".
parameter-unknown-field = { $field } is not a known field.
parameter-body = The body cannot be read: { $reason }.
parameter-request-id = request_id is realtime_session-, a UUID, a dash, 4 hexadecimal digits.
id-form = "{ $given }" is not { $expected }.
language-unknown = X-Language cannot be "{ $given }"; it is en-us or zh-cn.
body-limit = A body has at most { $limit } bytes.
queue-full-detail = { $limit } collections of this node wait already; try again when some have ended.
still-running = The collection is still running; ask realtime-session-task until it has finished.
result-damaged = The stored result was damaged; collect again.
range-limit = The result has { $length } bytes.
took-too-long = There was no answer within { $seconds } seconds.

auth-token-missing = x-auth-token not found
auth-token-unknown = decrypt token fail
auth-token-expired = It expired at { $moment }.
auth-key-unknown = ak { $key } not exist
auth-signature = verify aksk signature fail: { $reason }
auth-user-disabled = the user is disabled

iam-field = '{ $field }'
iam-methods = auth.identity.methods takes "password" only.
iam-scope = The user may not have this scope.

failure-unreachable = The node cannot be reached: { $detail }.
failure-timed-out = The node did not answer in time: { $detail }.
failure-access-denied = The node refused user or password: { $detail }.
failure-missing-privilege = The account lacks a privilege: { $detail }.
failure-too-many-connections = The node has no free connection: { $detail }.
failure-connection-lost = The connection to the node was lost: { $detail }.
failure-tls-failed = TLS with the node failed: { $detail }.
failure-not-mysql = What answers is not a MySQL server: { $detail }.
failure-server-error = The node refused to answer: { $detail }.
failure-store-failed = The result could not be stored: { $detail }.
failure-gave-up = The collection was given up: { $detail }.
failure-node-gone = The node is no longer there: { $detail }.
