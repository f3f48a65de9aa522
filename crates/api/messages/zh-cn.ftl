# 中文消息。两个文件的标识相同。`detail` 为一句话，也可以为空。

invalid-parameter = 参数错误。{ $detail }
invalid-id = 实例ID或节点ID格式错误。{ $detail }
unknown-task = 任务不存在。{ $detail }
no-result = 没有可下载的结果。{ $detail }
foreign-project = 资源不存在或权限不足。{ $detail }
unknown-instance = 实例不存在。{ $detail }
unknown-node = 资源不存在。{ $detail }
queue-full = 实例上有其他操作正在执行。{ $detail }
internal = 系统内部错误。{ $detail }
no-such-api = API不存在。{ $detail }
bad-request = API请求错误。{ $detail }
body-too-large = 请求体过大。{ $detail }
range-not-satisfiable = 请求的范围无效。{ $detail }
not-authenticated = IAM认证信息错误：{ $detail }
token-expired = Token需要更新。{ $detail }
unavailable = 后端不可用。{ $detail }
iam-invalid-body = 请求体无效。{ $detail }
iam-missing-field = 缺少必填字段{ $detail }。
iam-wrong-password = 请求需要认证。{ $detail }
iam-forbidden-scope = 没有权限执行该操作。{ $detail }
iam-invalid-parameter = 参数无效。{ $detail }
iam-internal = 服务器发生未知错误。{ $detail }

parameter-not-one-of = { $field }不能为“{ $given }”，可选值：{ $allowed }。
parameter-length = { $field }有{ $length }个字符，允许{ $min }到{ $max }个。
parameter-range = { $field }不能为{ $given }，取值范围{ $min }到{ $max }。
parameter-missing = 缺少{ $field }。
parameter-repeated = { $field }出现了多次。
parameter-form = { $field }不能为“{ $given }”。
parameter-unknown-field = 未知字段{ $field }。
parameter-body = 无法解析请求体：{ $reason }。
parameter-request-id = request_id由realtime_session-、UUID、短横线和4位十六进制数字组成。
id-form = “{ $given }”格式错误：{ $expected }。
language-unknown = X-Language不能为“{ $given }”，可选值：en-us、zh-cn。
body-limit = 请求体最多{ $limit }字节。
queue-full-detail = 该节点已有{ $limit }个收集任务在排队，请稍后重试。
still-running = 收集任务仍在执行，请查询realtime-session-task直到完成。
result-damaged = 保存的结果已损坏，请重新收集。
range-limit = 结果共{ $length }字节。
took-too-long = { $seconds }秒内没有响应。

auth-token-missing = x-auth-token not found
auth-token-unknown = decrypt token fail
auth-token-expired = 已于{ $moment }过期。
auth-key-unknown = ak { $key } not exist
auth-signature = verify aksk signature fail: { $reason }
auth-user-disabled = 用户已停用

iam-field = '{ $field }'
iam-methods = auth.identity.methods只支持password。
iam-scope = 用户没有该范围的权限。

failure-unreachable = 无法连接节点：{ $detail }。
failure-timed-out = 节点未在规定时间内响应：{ $detail }。
failure-access-denied = 节点拒绝了用户名或密码：{ $detail }。
failure-missing-privilege = 账号缺少权限：{ $detail }。
failure-too-many-connections = 节点没有空闲连接：{ $detail }。
failure-connection-lost = 与节点的连接中断：{ $detail }。
failure-tls-failed = 与节点的TLS连接失败：{ $detail }。
failure-not-mysql = 对端不是MySQL服务器：{ $detail }。
failure-server-error = 节点返回错误：{ $detail }。
failure-store-failed = 无法保存结果：{ $detail }。
failure-gave-up = 收集任务已放弃：{ $detail }。
failure-node-gone = 节点已不存在：{ $detail }。
