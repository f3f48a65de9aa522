PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'initial','2026-11-28 12:33:59',1,X'DAAE1FEFA8A98358E57E1C8BCAB7D304E2A73E419CA03965882971C0786CB8F07D84DB1F9259BC50B5AED4CB13090C81',9571306);
INSERT INTO "_sqlx_migrations" VALUES(2,'access','2026-11-28 12:33:59',1,X'B3AB1D3B983BCBB64DAF1B1B189F9F03FF518CF778B205062B797803C0D74ACEA7613A27D31A44E90CEEDDA0A31A5F99',7818266);
INSERT INTO "_sqlx_migrations" VALUES(3,'kills','2026-11-28 12:33:59',1,X'53A64C097ADC4CA60062E783A229E2F9D883E5082501C5A1CC773420116B5302E3F3F62E8EE946F2A6B58F24EBFE0C98',4107683);
INSERT INTO "_sqlx_migrations" VALUES(5,'kill tasks','2026-11-28 12:34:00',1,X'343A91C047F8AF5AD8BF1DAD289B25F0327774FF693B71B49BC32239661A7A27D4507B6CB8BA680C17215096F0CDD58D',1479272);
INSERT INTO "_sqlx_migrations" VALUES(6,'intelligent kills','2026-11-28 12:34:00',1,X'9E54F08A962DDBC3ED8EE476AA01701D6252059960D1ABF1E6B1EA2F95461241CFE373341BA2DB2AAE07AF0BCBAFBB10',2825396);
INSERT INTO "_sqlx_migrations" VALUES(7,'freshness','2026-11-28 12:34:00',1,X'1B4152B0F71F6086C081551EE8C34BCBC8D06E1F860FA7E8B5214BDC63A7AFAD08614233CE81DB708526A052D5C601C0',3611906);
INSERT INTO "_sqlx_migrations" VALUES(8,'turns','2026-11-28 12:34:00',1,X'29C790E66D9D42FE8B625E391E04B7B5A1E6291E37332BF677F0382AA8AB8E8F1A2AEA84EB072B564A35679D9122E166',10672165);
CREATE TABLE access_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     BLOB NOT NULL,
    enabled    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
, last_used_at INTEGER) STRICT;
INSERT INTO "access_keys" VALUES('AKTEST00000000000000','e713d94a9e954e55a9d585fc59b74f8e',X'719B8FF6E024B043CAD4928ACD06017811503B3A100E7E6DC9448054EFC53E7F0A5B212DDEA758FCD110F9C45551436455E32420403B1592B388D50D478B7BA941F2FB3BFD79A892A1E10DE1132F',1,1795869240,NULL);
CREATE TABLE access_version (
    only    INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL
, failures INTEGER NOT NULL DEFAULT 1) STRICT;
INSERT INTO "access_version" VALUES(1,10,6);
CREATE TABLE attachments (
    policy_id     TEXT REFERENCES policies (id),
    system_policy TEXT,
    user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
    group_id      TEXT REFERENCES user_groups (id) ON DELETE CASCADE,
    project_id    TEXT REFERENCES projects (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    CHECK ((policy_id IS NULL) <> (system_policy IS NULL)),
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
INSERT INTO "attachments" VALUES('c94503929fbd453eadfad07b11f453c0',NULL,NULL,'bb58f7100aa942e595bfb366f14c84c0',NULL,1795869240);
INSERT INTO "attachments" VALUES(NULL,'TaurusDBReadOnlyAccessPolicy','823db3a88978459bb81419c6ec2b4e26',NULL,'ff17ba7504c24279a1047ab52809cc3a',1795869240);
CREATE TABLE audit (
    seq             INTEGER NOT NULL PRIMARY KEY,
    at              INTEGER NOT NULL,
    actor_kind      TEXT NOT NULL,
    actor_id        TEXT,
    actor_name      TEXT NOT NULL,
    actor_domain_id TEXT,
    peer            TEXT,
    request_id      TEXT NOT NULL,
    operation       TEXT NOT NULL,
    domain_id       TEXT,
    project_id      TEXT,
    instance_id     TEXT,
    node_id         TEXT,
    target          TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    code            TEXT,
    detail          TEXT NOT NULL,
    previous        BLOB NOT NULL,
    mac             BLOB NOT NULL
) STRICT;
INSERT INTO "audit" VALUES(1,1795869240064,'local',NULL,'fixture',NULL,NULL,'','Initialise','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a',NULL,NULL,'acme','done',NULL,'{"access_key":"AKTEST00000000000000","region":"here-1","user":"admin","user_id":"e713d94a9e954e55a9d585fc59b74f8e"}',X'0000000000000000000000000000000000000000000000000000000000000000',X'85C0549A5DE17885A8E0535D9D07D6657D2320E402371DBE13D08BFB35E298E0');
INSERT INTO "audit" VALUES(2,1795869240082,'local',NULL,'fixture',NULL,NULL,'','CreateEnterpriseProject','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'retail','done',NULL,'{"id":"e08e1557-7648-413d-b5b0-bb3b7da5723b"}',X'85C0549A5DE17885A8E0535D9D07D6657D2320E402371DBE13D08BFB35E298E0',X'B4E91BD2D39A6822E53653AE2A73E352929B5F36A1D52307A488E4B740A79BA0');
INSERT INTO "audit" VALUES(3,1795869240088,'local',NULL,'fixture',NULL,NULL,'','CreateUser','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'ada','done',NULL,'{"administrator":false,"id":"823db3a88978459bb81419c6ec2b4e26"}',X'B4E91BD2D39A6822E53653AE2A73E352929B5F36A1D52307A488E4B740A79BA0',X'82DAA0FAE4634BC6CF26E84B89AC37AE7FBEC261E4C47A9A06A5787447757AB0');
INSERT INTO "audit" VALUES(4,1795869240089,'local',NULL,'fixture',NULL,NULL,'','CreateGroup','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'dbas','done',NULL,'{"id":"bb58f7100aa942e595bfb366f14c84c0"}',X'82DAA0FAE4634BC6CF26E84B89AC37AE7FBEC261E4C47A9A06A5787447757AB0',X'14EE2322ACD60618BAD7DF96BEF1EDEDD93F77329EA50492C2934229B15498BA');
INSERT INTO "audit" VALUES(5,1795869240094,'local',NULL,'fixture',NULL,NULL,'','AddUserToGroup','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'dbas','done',NULL,'{"group_id":"bb58f7100aa942e595bfb366f14c84c0","tokens_revoked":0,"user":"ada","user_id":"823db3a88978459bb81419c6ec2b4e26"}',X'14EE2322ACD60618BAD7DF96BEF1EDEDD93F77329EA50492C2934229B15498BA',X'7CBC2FC9FE90AEE342BD74F98E53FF17E4F2803CD8124808C7ADE3523AF83D33');
INSERT INTO "audit" VALUES(6,1795869240095,'local',NULL,'fixture',NULL,NULL,'','PutPolicy','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'look','done',NULL,'{"id":"c94503929fbd453eadfad07b11f453c0","model":"role","sha256":"0f579240d3861772271daa80f9f4cbd2a57092b620d0db05d5f9cd01ef204722","tokens_revoked":0}',X'7CBC2FC9FE90AEE342BD74F98E53FF17E4F2803CD8124808C7ADE3523AF83D33',X'4B1CA75E34E491ECAF937C36712E73AFE3D3AF98F75E14A29C4C73B6121D7902');
INSERT INTO "audit" VALUES(7,1795869240095,'local',NULL,'fixture',NULL,NULL,'','AttachPolicy','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'look','done',NULL,'{"group":"dbas","group_id":"bb58f7100aa942e595bfb366f14c84c0","policy_id":"c94503929fbd453eadfad07b11f453c0","tokens_revoked":0,"user":null,"user_id":null}',X'4B1CA75E34E491ECAF937C36712E73AFE3D3AF98F75E14A29C4C73B6121D7902',X'6D03EEEA4C08B10C545DA0EDAD25C59BCF230874CF2FBA9DF792C54A8B9BDE52');
INSERT INTO "audit" VALUES(8,1795869240096,'local',NULL,'fixture',NULL,NULL,'','AttachPolicy','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a',NULL,NULL,'TaurusDBReadOnlyAccessPolicy','done',NULL,'{"group":null,"group_id":null,"policy_id":null,"tokens_revoked":0,"user":"ada","user_id":"823db3a88978459bb81419c6ec2b4e26"}',X'6D03EEEA4C08B10C545DA0EDAD25C59BCF230874CF2FBA9DF792C54A8B9BDE52',X'F4EE39FE0BCB4D96B64EF19DCC02B00E0EC1FFACEE8174745AD462D346CC5DF3');
INSERT INTO "audit" VALUES(9,1795869240097,'local',NULL,'fixture',NULL,NULL,'','CreateTemporaryAccessKey','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'TEMPORARY00000000000','done',NULL,'{"expires_at":9000000000,"user":"ada","user_id":"823db3a88978459bb81419c6ec2b4e26"}',X'F4EE39FE0BCB4D96B64EF19DCC02B00E0EC1FFACEE8174745AD462D346CC5DF3',X'25A3CB3817E1B6F33162DE6CB245297ADB205D58FDDB35433E3D59E125591558');
INSERT INTO "audit" VALUES(10,1795869240098,'local',NULL,'fixture',NULL,NULL,'','RevokeToken','64f4c96f0d534b4496d1b10beb3db834',NULL,NULL,NULL,'ada','done',NULL,'null',X'25A3CB3817E1B6F33162DE6CB245297ADB205D58FDDB35433E3D59E125591558',X'7B36F33D6E52C59F3023386047945E0662555D52BE218E6F5700632A33D15EEC');
INSERT INTO "audit" VALUES(11,1795869240099,'local',NULL,'fixture',NULL,NULL,'','AddInstance','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07',NULL,'shop','done',NULL,'{"enterprise_project_id":"e08e1557-7648-413d-b5b0-bb3b7da5723b","nodes":["mysql://clew@10.0.0.5:3306/?tls=off","mysql://clew@10.0.0.6:3307/?tls=preferred"],"tags":[{"key":"env","value":"prod"}]}',X'7B36F33D6E52C59F3023386047945E0662555D52BE218E6F5700632A33D15EEC',X'56296C317894385AD07894457E1FC285DC4CA08C39D19BCEE4A74759ABACDB79');
INSERT INTO "audit" VALUES(12,1795869240100,'local',NULL,'fixture',NULL,NULL,'','SetSlowThreshold','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07',NULL,'shop','done',NULL,'{"slow_process_threshold":7}',X'56296C317894385AD07894457E1FC285DC4CA08C39D19BCEE4A74759ABACDB79',X'688BA8AAB990C3F54CE90BF2789BEABA6D2F4F2B2B88F48EF49A10E449246D71');
INSERT INTO "audit" VALUES(13,1795869240107,'local',NULL,'fixture',NULL,NULL,'','SwitchKillTasks','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07',NULL,'shop','done',NULL,'{"status":"ON"}',X'688BA8AAB990C3F54CE90BF2789BEABA6D2F4F2B2B88F48EF49A10E449246D71',X'47417C57D7A58E095577DACC3091F14170318C1F1475F1213DC18774FD4080F2');
INSERT INTO "audit" VALUES(14,1795869240113,'local',NULL,'fixture',NULL,NULL,'','AddKillTask','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07',NULL,'shop','done',NULL,'{"asked":{"time":7},"task":"1795869240112"}',X'47417C57D7A58E095577DACC3091F14170318C1F1475F1213DC18774FD4080F2',X'E6F04ED8723FEB5FA523B2A53559EB25D46829D0477270905FCAE5E5AD4D03D8');
INSERT INTO "audit" VALUES(15,1795869240114,'local',NULL,'fixture',NULL,NULL,'','KillSession','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','7','done',NULL,'{"asked_at":1795869240113,"command":"Query","db":null,"detail":"","host":"10.0.0.7:51234","kind":"connection","outcome":"killed","reason":"it holds everybody up","seconds":37,"source":"manual","state":"executing","statement":"SELECT ?","task":null,"user":"app"}',X'E6F04ED8723FEB5FA523B2A53559EB25D46829D0477270905FCAE5E5AD4D03D8',X'ECF0F884359E490145EB91C05F346B60851287536A9E3BB0548C600F46BEF226');
INSERT INTO "audit" VALUES(16,1795869240116,'user','823db3a88978459bb81419c6ec2b4e26','ada','64f4c96f0d534b4496d1b10beb3db834','192.0.2.7','a request','EndIntelligentKill','64f4c96f0d534b4496d1b10beb3db834','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','1795869240115','failed',NULL,'{"reason":"no node","victims":0}',X'ECF0F884359E490145EB91C05F346B60851287536A9E3BB0548C600F46BEF226',X'9238D6EB0B606E59CD687CD0E3D0F696281C305315BC1B9F3E936C42F48DCDBC');
CREATE TABLE audit_ends (
    name TEXT NOT NULL PRIMARY KEY CHECK (name IN ('head', 'checkpoint')),
    seq  INTEGER NOT NULL,
    mac  BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "audit_ends" VALUES('checkpoint',1,X'0000000000000000000000000000000000000000000000000000000000000000',X'DC62911A23604D1E5AE04378E635A566FB977ED2DAF60B6D8706F60FD775F989');
INSERT INTO "audit_ends" VALUES('head',16,X'9238D6EB0B606E59CD687CD0E3D0F696281C305315BC1B9F3E936C42F48DCDBC',X'4F4684B7792FF175E288CEB6A404B17D3E985703229778ED6A256E28EF8378B0');
CREATE TABLE domains (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "domains" VALUES('64f4c96f0d534b4496d1b10beb3db834','acme',1795869240);
CREATE TABLE enterprise_projects (
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (domain_id, id),
    UNIQUE (domain_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "enterprise_projects" VALUES('64f4c96f0d534b4496d1b10beb3db834','e08e1557-7648-413d-b5b0-bb3b7da5723b','retail','shops',1,1795869240);
CREATE TABLE failures (
    subject      BLOB NOT NULL PRIMARY KEY,
    count        INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "failures" VALUES(X'9BA9749F979B1B547F69D4DB274309D6F59F717006A7B673DAD358AC3489E3D4',5,1795869240,1795869540);
CREATE TABLE instances (
    id                    TEXT NOT NULL PRIMARY KEY,
    project_id            TEXT NOT NULL REFERENCES projects (id),
    name                  TEXT NOT NULL,
    enterprise_project_id TEXT NOT NULL,
    slow_threshold        INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
INSERT INTO "instances" VALUES('0123456789abcdef0123456789abcdefin07','ff17ba7504c24279a1047ab52809cc3a','shop','e08e1557-7648-413d-b5b0-bb3b7da5723b',7,1795869240,1795869240);
CREATE TABLE intelligent_kills (
    id          INTEGER NOT NULL PRIMARY KEY,
    project_id  TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    node_id     TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    actor_domain_id TEXT NOT NULL,
    peer        TEXT,
    request_id  TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    lease_until INTEGER,
    reason      TEXT,
    ended_at    INTEGER,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'error') = (reason IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
) STRICT;
INSERT INTO "intelligent_kills" VALUES(1795869240115,'ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','823db3a88978459bb81419c6ec2b4e26','ada','64f4c96f0d534b4496d1b10beb3db834','192.0.2.7','a request','error',NULL,'no node',1795869240116);
INSERT INTO "intelligent_kills" VALUES(1795869240116,'ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','823db3a88978459bb81419c6ec2b4e26','ada','64f4c96f0d534b4496d1b10beb3db834','192.0.2.7','a request','queued',NULL,NULL,NULL);
CREATE TABLE kill_switches (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    is_on       INTEGER NOT NULL,
    worker      TEXT,
    lease_until INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "kill_switches" VALUES('0123456789abcdef0123456789abcdefin07',1,NULL,NULL);
CREATE TABLE kill_tasks (
    id          INTEGER NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    criteria    TEXT NOT NULL,
    masked      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    ends_at     INTEGER,
    stopped_at  INTEGER
) STRICT;
INSERT INTO "kill_tasks" VALUES(1795869240112,'0123456789abcdef0123456789abcdefin07','{"user":"app","host":null,"database":null,"command":null,"sql_key":null,"seconds":7}',1,1795869240112,NULL,NULL);
CREATE TABLE killed_sessions (
    id          INTEGER NOT NULL PRIMARY KEY,
    project_id  TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    node_id     TEXT NOT NULL,
    source      TEXT NOT NULL CHECK (source IN ('manual', 'intelligent', 'task')),
    task_id     TEXT,
    kind        TEXT NOT NULL CHECK (kind IN ('connection', 'query')),
    reason      TEXT NOT NULL,
    session_id  INTEGER NOT NULL,
    user        TEXT NOT NULL,
    host        TEXT NOT NULL,
    db          TEXT,
    command     TEXT NOT NULL,
    seconds     INTEGER NOT NULL,
    state       TEXT,
    template    TEXT,
    asked_at    INTEGER NOT NULL,
    outcome     TEXT CHECK (outcome IN
        ('killed', 'rolling_back', 'ending', 'already_gone', 'refused', 'failed', 'unknown')),
    detail      TEXT,
    ended_at    INTEGER,
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT;
INSERT INTO "killed_sessions" VALUES(1,'ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','manual',NULL,'connection','it holds everybody up',7,'app','10.0.0.7:51234',NULL,'Query',37,'executing','SELECT ?',1795869240113,'killed','',1795869240114);
INSERT INTO "killed_sessions" VALUES(2,'ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','manual',NULL,'connection','it holds everybody up',8,'app','10.0.0.7:51234',NULL,'Query',37,'executing','SELECT ?',1795869240113,NULL,NULL,NULL);
CREATE TABLE members (
    group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES('bb58f7100aa942e595bfb366f14c84c0','823db3a88978459bb81419c6ec2b4e26');
CREATE TABLE nodes (
    id          TEXT NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('master', 'slave')),
    url         TEXT NOT NULL,
    host        TEXT NOT NULL,
    password    BLOB,
    created_at  INTEGER NOT NULL
) STRICT;
INSERT INTO "nodes" VALUES('0123456789abcdef0123456789abcdefno07','0123456789abcdef0123456789abcdefin07','shop_node0','master','mysql://clew@10.0.0.5:3306/?tls=off','10.0.0.5',X'0165BEE411118251F06014B10FDD6417662C7B1C8ADF98DDE4D08B503C4BFB7D20C5C563FEF3FFB44ACC9F163DDDCB337BC4E6844791',1795869240);
INSERT INTO "nodes" VALUES('fedcba9876543210fedcba9876543210no07','0123456789abcdef0123456789abcdefin07','shop_node1','slave','mysql://clew@10.0.0.6:3307/?tls=preferred','10.0.0.6',X'FB710269AC570F1F47602FDB35060B4CD2029CF708758114D9E7D46DDB96D8F14368AD971061004DD64ACDC8568A',1795869240);
CREATE TABLE policies (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    model       TEXT NOT NULL CHECK (model IN ('role', 'identity')),
    document    TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;
INSERT INTO "policies" VALUES('c94503929fbd453eadfad07b11f453c0','64f4c96f0d534b4496d1b10beb3db834','look','role','{"Version":"1.1","Statement":[]}','only look',1795869240,1795869240);
CREATE TABLE projects (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    enabled     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL, masking INTEGER NOT NULL DEFAULT 0,
    UNIQUE (domain_id, name)
) STRICT;
INSERT INTO "projects" VALUES('ff17ba7504c24279a1047ab52809cc3a','64f4c96f0d534b4496d1b10beb3db834','here-1','',1,1795869240,0);
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "settings" VALUES('canary',X'57D62D868A30DCB0DD2424AFE77AE1F2BF84B2EB52DB2E69FFC8FF55085C5C9815B0A662862A2C1B6DA54678244980EB1A5B0952DBCC7D');
INSERT INTO "settings" VALUES('region',X'686572652D31');
CREATE TABLE tags (
    instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "tags" VALUES('0123456789abcdef0123456789abcdefin07','env','prod');
CREATE TABLE tasks (
    request_id     TEXT NOT NULL PRIMARY KEY,
    project_id     TEXT NOT NULL,
    instance_id    TEXT NOT NULL,
    node_id        TEXT NOT NULL,
    selection      TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'error')),
    worker         TEXT,
    fence          INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    failure_kind   TEXT,
    failure_detail TEXT,
    result_name    TEXT,
    result_rows    INTEGER,
    result_bytes   INTEGER,
    result_sha256  TEXT,
    created_at     INTEGER NOT NULL,
    ended_at       INTEGER, masked INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0,
    CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CHECK ((status = 'finished') = (result_name IS NOT NULL)),
    CHECK ((status = 'error') = (failure_kind IS NOT NULL)),
    CHECK ((status IN ('finished', 'error')) = (ended_at IS NOT NULL))
) STRICT;
INSERT INTO "tasks" VALUES('realtime_session-00000000-0000-4000-8000-000000000003-98e3','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}','error','the worker of the fixture',1,NULL,1,'timed-out','no answer',NULL,NULL,NULL,NULL,1795869240101,1795869240103,1,1);
INSERT INTO "tasks" VALUES('realtime_session-00000000-0000-4000-8000-000000000002-98e2','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}','finished','the worker of the fixture',1,NULL,1,NULL,NULL,'a result.csv',3,42,'abababababababababababababababababababababababababababababababab',1795869240103,1795869240105,1,1);
INSERT INTO "tasks" VALUES('realtime_session-00000000-0000-4000-8000-000000000001-98e1','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}','running','the worker of the fixture',1,1795869250106,1,NULL,NULL,NULL,NULL,NULL,NULL,1795869240105,NULL,1,1);
INSERT INTO "tasks" VALUES('realtime_session-00000000-0000-4000-8000-000000000000-98e0','ff17ba7504c24279a1047ab52809cc3a','0123456789abcdef0123456789abcdefin07','0123456789abcdef0123456789abcdefno07','{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}','queued',NULL,0,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,1795869240107,NULL,1,2);
CREATE TABLE temporary_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
INSERT INTO "temporary_keys" VALUES('TEMPORARY00000000000','823db3a88978459bb81419c6ec2b4e26',X'B6EE85A0E8B2730F057CC917A3D30D339A47EDFC996C576B70968C77EF27E68C21F71EECF99F1A967A9B95F065A9B8C23DE82F1EB2C67162E2440F8635B38875A3AA4A',X'0707070707070707070707070707070707070707070707070707070707070707',1795869240,9000000000,NULL);
CREATE TABLE tokens (
    hash          BLOB NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    scope_project TEXT REFERENCES projects (id) ON DELETE CASCADE,
    issued_at     INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
, revoked_at INTEGER, methods TEXT NOT NULL DEFAULT 'password') STRICT, WITHOUT ROWID;
INSERT INTO "tokens" VALUES(X'0505050505050505050505050505050505050505050505050505050505050505','823db3a88978459bb81419c6ec2b4e26',NULL,1000,9000000000,NULL,'password');
INSERT INTO "tokens" VALUES(X'0606060606060606060606060606060606060606060606060606060606060606','823db3a88978459bb81419c6ec2b4e26','ff17ba7504c24279a1047ab52809cc3a',1000,9000000000,1795869240,'password');
CREATE TABLE user_groups (
    id          TEXT NOT NULL PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    UNIQUE (domain_id, name)
) STRICT;
INSERT INTO "user_groups" VALUES('bb58f7100aa942e595bfb366f14c84c0','64f4c96f0d534b4496d1b10beb3db834','dbas','on call',1795869240);
CREATE TABLE users (
    id            TEXT NOT NULL PRIMARY KEY,
    domain_id     TEXT NOT NULL REFERENCES domains (id),
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    enabled       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL, administrator INTEGER NOT NULL DEFAULT 0, description TEXT NOT NULL DEFAULT '',
    UNIQUE (domain_id, name)
) STRICT;
INSERT INTO "users" VALUES('e713d94a9e954e55a9d585fc59b74f8e','64f4c96f0d534b4496d1b10beb3db834','admin','$argon2id$admin',1,1795869240,1,'');
INSERT INTO "users" VALUES('823db3a88978459bb81419c6ec2b4e26','64f4c96f0d534b4496d1b10beb3db834','ada','$argon2id$ada',1,1795869240,0,'Ünï');
CREATE INDEX tokens_by_end ON tokens (expires_at);
CREATE INDEX nodes_by_instance ON nodes (instance_id);
CREATE UNIQUE INDEX one_master ON nodes (instance_id) WHERE role = 'master';
CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX access_keys_by_user ON access_keys (user_id);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX temporary_keys_by_end ON temporary_keys (expires_at);
CREATE INDEX temporary_keys_by_user ON temporary_keys (user_id);
CREATE INDEX members_by_user ON members (user_id);
CREATE UNIQUE INDEX attached_once ON attachments
    (IFNULL(policy_id, ''), IFNULL(system_policy, ''), IFNULL(user_id, ''), IFNULL(group_id, ''), IFNULL(project_id, ''));
CREATE INDEX attachments_by_policy ON attachments (policy_id);
CREATE INDEX attachments_by_user ON attachments (user_id);
CREATE INDEX attachments_by_group ON attachments (group_id);
CREATE INDEX failures_by_time ON failures (last_at);
CREATE INDEX audit_by_time ON audit (at);
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE seq >= NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'a row of the audit comes after all others'); END;
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'a row of the audit is never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
    WHEN OLD.seq >= IFNULL((SELECT seq FROM audit_ends WHERE name = 'checkpoint'), 0)
    BEGIN SELECT RAISE(ABORT, 'a row of the audit is only removed by retention'); END;
CREATE TRIGGER audit_ends_stay BEFORE DELETE ON audit_ends
    BEGIN SELECT RAISE(ABORT, 'the ends of the audit are never removed'); END;
CREATE TRIGGER audit_ends_only_advance BEFORE UPDATE ON audit_ends
    WHEN NEW.seq < OLD.seq OR NEW.name <> OLD.name
    BEGIN SELECT RAISE(ABORT, 'the ends of the audit only advance'); END;
CREATE INDEX killed_sessions_by_time ON killed_sessions (instance_id, asked_at);
CREATE INDEX killed_sessions_by_task ON killed_sessions (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX killed_sessions_open ON killed_sessions (asked_at) WHERE outcome IS NULL;
CREATE INDEX kill_tasks_by_instance ON kill_tasks (instance_id);
CREATE INDEX kill_tasks_not_stopped ON kill_tasks (ends_at) WHERE stopped_at IS NULL;
CREATE INDEX intelligent_kills_by_node ON intelligent_kills (instance_id, node_id);
CREATE INDEX intelligent_kills_open ON intelligent_kills (id) WHERE status IN ('queued', 'running');
CREATE TRIGGER domains_changed AFTER UPDATE ON domains
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER domains_removed AFTER DELETE ON domains
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER projects_changed AFTER UPDATE ON projects
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER projects_removed AFTER DELETE ON projects
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER users_changed AFTER UPDATE ON users
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER users_removed AFTER DELETE ON users
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_new AFTER INSERT ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_changed AFTER UPDATE OF user_id, secret, enabled ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_keys_removed AFTER DELETE ON access_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER temporary_keys_changed AFTER UPDATE ON temporary_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER temporary_keys_removed AFTER DELETE ON temporary_keys
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tokens_changed AFTER UPDATE ON tokens
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tokens_removed AFTER DELETE ON tokens
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER user_groups_changed AFTER UPDATE ON user_groups
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER user_groups_removed AFTER DELETE ON user_groups
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_new AFTER INSERT ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_changed AFTER UPDATE ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER members_removed AFTER DELETE ON members
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER policies_changed AFTER UPDATE ON policies
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER policies_removed AFTER DELETE ON policies
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_new AFTER INSERT ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_changed AFTER UPDATE ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER attachments_removed AFTER DELETE ON attachments
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER instances_changed AFTER UPDATE ON instances
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER instances_removed AFTER DELETE ON instances
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_new AFTER INSERT ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_changed AFTER UPDATE ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER nodes_removed AFTER DELETE ON nodes
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_new AFTER INSERT ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_changed AFTER UPDATE ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER tags_removed AFTER DELETE ON tags
    BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER failures_new AFTER INSERT ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
CREATE TRIGGER failures_changed AFTER UPDATE ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
CREATE TRIGGER failures_removed AFTER DELETE ON failures
    BEGIN UPDATE access_version SET failures = failures + 1; END;
CREATE INDEX tasks_waiting ON tasks (turn) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_instance ON tasks (project_id, instance_id, turn) WHERE status = 'queued';
CREATE INDEX tasks_waiting_by_node ON tasks (node_id) WHERE status = 'queued';
CREATE INDEX tasks_running ON tasks (lease_until, node_id, turn) WHERE status = 'running';
COMMIT;
