--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: access_changed(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.access_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE access_version SET version = version + 1; RETURN NULL; END $$;


--
-- Name: audit_is_kept(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.audit_is_kept() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
    IF OLD.seq >= COALESCE((SELECT seq FROM audit_ends WHERE name = 'checkpoint'), 0) THEN
        RAISE EXCEPTION 'a row of the audit is only removed by retention';
    END IF;
    RETURN OLD;
END $$;


--
-- Name: audit_only_grows(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.audit_only_grows() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM audit WHERE seq >= NEW.seq) THEN
        RAISE EXCEPTION 'a row of the audit comes after all others';
    END IF;
    RETURN NEW;
END $$;


--
-- Name: failures_changed(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.failures_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN UPDATE access_version SET failures = failures + 1; RETURN NULL; END $$;


--
-- Name: instr(text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.instr(whole text, part text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN strpos(whole, part);


--
-- Name: refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: _sqlx_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: access_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.access_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    rowid bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    secret bytea NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint
);


--
-- Name: access_keys_rowid_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.access_keys ALTER COLUMN rowid ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.access_keys_rowid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: access_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.access_version (
    only_row boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    failures bigint DEFAULT 1 NOT NULL,
    CONSTRAINT access_version_only_row_check CHECK (only_row)
);


--
-- Name: attachments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attachments (
    rowid bigint NOT NULL,
    policy_id text COLLATE pg_catalog."C",
    system_policy text COLLATE pg_catalog."C",
    user_id text COLLATE pg_catalog."C",
    group_id text COLLATE pg_catalog."C",
    project_id text COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    CONSTRAINT attachments_check CHECK (((policy_id IS NULL) <> (system_policy IS NULL))),
    CONSTRAINT attachments_check1 CHECK (((user_id IS NULL) <> (group_id IS NULL)))
);


--
-- Name: attachments_rowid_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.attachments ALTER COLUMN rowid ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.attachments_rowid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    actor_kind text NOT NULL COLLATE pg_catalog."C",
    actor_id text COLLATE pg_catalog."C",
    actor_name text NOT NULL COLLATE pg_catalog."C",
    actor_domain_id text COLLATE pg_catalog."C",
    peer text COLLATE pg_catalog."C",
    request_id text NOT NULL COLLATE pg_catalog."C",
    operation text NOT NULL COLLATE pg_catalog."C",
    domain_id text COLLATE pg_catalog."C",
    project_id text COLLATE pg_catalog."C",
    instance_id text COLLATE pg_catalog."C",
    node_id text COLLATE pg_catalog."C",
    target text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL COLLATE pg_catalog."C",
    code text COLLATE pg_catalog."C",
    detail text NOT NULL COLLATE pg_catalog."C",
    previous bytea NOT NULL,
    mac bytea NOT NULL
);


--
-- Name: audit_ends; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_ends (
    name text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    mac bytea NOT NULL,
    seal bytea NOT NULL,
    CONSTRAINT audit_ends_name_check CHECK ((name = ANY (ARRAY['head'::text, 'checkpoint'::text])))
);


--
-- Name: domains; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.domains (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL
);


--
-- Name: enterprise_projects; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.enterprise_projects (
    domain_id text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    description text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    enabled boolean DEFAULT true NOT NULL,
    created_at bigint NOT NULL
);


--
-- Name: failures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.failures (
    subject bytea NOT NULL,
    count bigint NOT NULL,
    last_at bigint NOT NULL,
    locked_until bigint
);


--
-- Name: instances; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.instances (
    id text NOT NULL COLLATE pg_catalog."C",
    rowid bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    enterprise_project_id text NOT NULL COLLATE pg_catalog."C",
    slow_threshold bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);


--
-- Name: instances_rowid_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.instances ALTER COLUMN rowid ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.instances_rowid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: intelligent_kills; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.intelligent_kills (
    id bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    instance_id text NOT NULL COLLATE pg_catalog."C",
    node_id text NOT NULL COLLATE pg_catalog."C",
    actor_id text NOT NULL COLLATE pg_catalog."C",
    actor_name text NOT NULL COLLATE pg_catalog."C",
    actor_domain_id text NOT NULL COLLATE pg_catalog."C",
    peer text COLLATE pg_catalog."C",
    request_id text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    lease_until bigint,
    reason text COLLATE pg_catalog."C",
    ended_at bigint,
    CONSTRAINT intelligent_kills_check CHECK (((status = 'running'::text) = (lease_until IS NOT NULL))),
    CONSTRAINT intelligent_kills_check1 CHECK (((status = 'error'::text) = (reason IS NOT NULL))),
    CONSTRAINT intelligent_kills_check2 CHECK (((status = ANY (ARRAY['finished'::text, 'error'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT intelligent_kills_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'finished'::text, 'error'::text])))
);


--
-- Name: kill_switches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.kill_switches (
    instance_id text NOT NULL COLLATE pg_catalog."C",
    is_on boolean NOT NULL,
    worker text COLLATE pg_catalog."C",
    lease_until bigint
);


--
-- Name: kill_tasks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.kill_tasks (
    id bigint NOT NULL,
    instance_id text NOT NULL COLLATE pg_catalog."C",
    criteria text NOT NULL COLLATE pg_catalog."C",
    masked boolean NOT NULL,
    started_at bigint NOT NULL,
    ends_at bigint,
    stopped_at bigint
);


--
-- Name: killed_sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.killed_sessions (
    id bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    instance_id text NOT NULL COLLATE pg_catalog."C",
    node_id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    task_id text COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    session_id bigint NOT NULL,
    "user" text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    db text COLLATE pg_catalog."C",
    command text NOT NULL COLLATE pg_catalog."C",
    seconds bigint NOT NULL,
    state text COLLATE pg_catalog."C",
    template text COLLATE pg_catalog."C",
    asked_at bigint NOT NULL,
    outcome text COLLATE pg_catalog."C",
    detail text COLLATE pg_catalog."C",
    ended_at bigint,
    CONSTRAINT killed_sessions_check CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT killed_sessions_kind_check CHECK ((kind = ANY (ARRAY['connection'::text, 'query'::text]))),
    CONSTRAINT killed_sessions_outcome_check CHECK ((outcome = ANY (ARRAY['killed'::text, 'rolling_back'::text, 'ending'::text, 'already_gone'::text, 'refused'::text, 'failed'::text, 'unknown'::text]))),
    CONSTRAINT killed_sessions_source_check CHECK ((source = ANY (ARRAY['manual'::text, 'intelligent'::text, 'task'::text])))
);


--
-- Name: killed_sessions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.killed_sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.killed_sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: members; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.members (
    group_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: nodes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.nodes (
    id text NOT NULL COLLATE pg_catalog."C",
    rowid bigint NOT NULL,
    instance_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    password bytea,
    created_at bigint NOT NULL,
    CONSTRAINT nodes_role_check CHECK ((role = ANY (ARRAY['master'::text, 'slave'::text])))
);


--
-- Name: nodes_rowid_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.nodes ALTER COLUMN rowid ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.nodes_rowid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: policies; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.policies (
    id text NOT NULL COLLATE pg_catalog."C",
    domain_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    model text NOT NULL COLLATE pg_catalog."C",
    document text NOT NULL COLLATE pg_catalog."C",
    description text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT policies_model_check CHECK ((model = ANY (ARRAY['role'::text, 'identity'::text])))
);


--
-- Name: projects; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.projects (
    id text NOT NULL COLLATE pg_catalog."C",
    domain_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    description text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    enabled boolean DEFAULT true NOT NULL,
    masking boolean DEFAULT false NOT NULL,
    created_at bigint NOT NULL
);


--
-- Name: settings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.settings (
    name text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL
);


--
-- Name: tags; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tags (
    instance_id text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: tasks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tasks (
    request_id text NOT NULL COLLATE pg_catalog."C",
    rowid bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    instance_id text NOT NULL COLLATE pg_catalog."C",
    node_id text NOT NULL COLLATE pg_catalog."C",
    selection text NOT NULL COLLATE pg_catalog."C",
    masked boolean DEFAULT false NOT NULL,
    turn bigint NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    worker text COLLATE pg_catalog."C",
    fence bigint DEFAULT 0 NOT NULL,
    lease_until bigint,
    attempts bigint DEFAULT 0 NOT NULL,
    failure_kind text COLLATE pg_catalog."C",
    failure_detail text COLLATE pg_catalog."C",
    result_name text COLLATE pg_catalog."C",
    result_rows bigint,
    result_bytes bigint,
    result_sha256 text COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    ended_at bigint,
    CONSTRAINT tasks_check CHECK (((status = 'running'::text) = (lease_until IS NOT NULL))),
    CONSTRAINT tasks_check1 CHECK (((status = 'finished'::text) = (result_name IS NOT NULL))),
    CONSTRAINT tasks_check2 CHECK (((status = 'error'::text) = (failure_kind IS NOT NULL))),
    CONSTRAINT tasks_check3 CHECK (((status = ANY (ARRAY['finished'::text, 'error'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'finished'::text, 'error'::text])))
);


--
-- Name: tasks_rowid_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.tasks ALTER COLUMN rowid ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tasks_rowid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: temporary_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.temporary_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    secret bytea NOT NULL,
    token_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);


--
-- Name: tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tokens (
    hash bytea NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    scope_project text COLLATE pg_catalog."C",
    methods text NOT NULL COLLATE pg_catalog."C",
    issued_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);


--
-- Name: user_groups; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_groups (
    id text NOT NULL COLLATE pg_catalog."C",
    domain_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    description text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL
);


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    domain_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    password_hash text NOT NULL COLLATE pg_catalog."C",
    enabled boolean DEFAULT true NOT NULL,
    administrator boolean DEFAULT false NOT NULL,
    description text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL
);


--
-- Data for Name: _sqlx_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._sqlx_migrations VALUES (1, 'initial', '2026-11-28 12:34:02.753784+00', true, '\x1a393a6f8d5f8a89b33144dbe2856b9b14285bd6939174b8366adef0025fd0f3e2e343080a343b8ede81332720e2405d', 604165679);


--
-- Data for Name: access_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.access_keys OVERRIDING SYSTEM VALUE VALUES ('AKTEST00000000000000', 1, 'ca9d7e8ac74a4038816d553e03728a9b', '\x736aec7878d2a9b27d48755d88ea1b4044e603f5f8ab4859d23ee6770592011c5cda5afbe0120c500518c0452788152d92b16ca86868df5b683e36aaac8e7d34c3d52fd2e855dc2544fb63423e12', true, 1795869243, NULL);


--
-- Data for Name: access_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.access_version VALUES (true, 10, 6);


--
-- Data for Name: attachments; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attachments OVERRIDING SYSTEM VALUE VALUES (1, 'b751f758f56548d1875d0fc24b10d783', NULL, NULL, 'b692c794822b4aea8b32f0e76cb13f56', NULL, 1795869243);
INSERT INTO public.attachments OVERRIDING SYSTEM VALUE VALUES (2, NULL, 'TaurusDBReadOnlyAccessPolicy', '25af8cffff5648d39a9675f7bd5d4dd9', NULL, 'feae1d65117f4895a950c1ef1ad638a4', 1795869243);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit VALUES (1, 1795869243594, 'local', NULL, 'fixture', NULL, NULL, '', 'Initialise', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', NULL, NULL, 'acme', 'done', NULL, '{"access_key":"AKTEST00000000000000","region":"here-1","user":"admin","user_id":"ca9d7e8ac74a4038816d553e03728a9b"}', '\x0000000000000000000000000000000000000000000000000000000000000000', '\xc5750e7767edf565c66a6b8588b615de0d31a88e0497d5d843e8d558a4b44e7a');
INSERT INTO public.audit VALUES (2, 1795869243810, 'local', NULL, 'fixture', NULL, NULL, '', 'CreateEnterpriseProject', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'retail', 'done', NULL, '{"id":"95408f56-1b47-4cbf-8a94-c9002be65c56"}', '\xc5750e7767edf565c66a6b8588b615de0d31a88e0497d5d843e8d558a4b44e7a', '\xd3448092170234b0f983544eaac5ee6469be60b6770a164e3f79848e829ed930');
INSERT INTO public.audit VALUES (3, 1795869243835, 'local', NULL, 'fixture', NULL, NULL, '', 'CreateUser', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'ada', 'done', NULL, '{"administrator":false,"id":"25af8cffff5648d39a9675f7bd5d4dd9"}', '\xd3448092170234b0f983544eaac5ee6469be60b6770a164e3f79848e829ed930', '\x488cb0480c5b512d0001b449805f5715ece1f7aeadc08247312dce80a6792e82');
INSERT INTO public.audit VALUES (4, 1795869243854, 'local', NULL, 'fixture', NULL, NULL, '', 'CreateGroup', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'dbas', 'done', NULL, '{"id":"b692c794822b4aea8b32f0e76cb13f56"}', '\x488cb0480c5b512d0001b449805f5715ece1f7aeadc08247312dce80a6792e82', '\xd23fce53d9d9d9c356d194bd699f76e30615d9a587f70914c0dfdcfef77e1179');
INSERT INTO public.audit VALUES (5, 1795869243863, 'local', NULL, 'fixture', NULL, NULL, '', 'AddUserToGroup', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'dbas', 'done', NULL, '{"group_id":"b692c794822b4aea8b32f0e76cb13f56","tokens_revoked":0,"user":"ada","user_id":"25af8cffff5648d39a9675f7bd5d4dd9"}', '\xd23fce53d9d9d9c356d194bd699f76e30615d9a587f70914c0dfdcfef77e1179', '\x8a048601aaebf5e2928b8a6a0015cfbe9374a45b6dc73b95af7c0974f391ed3b');
INSERT INTO public.audit VALUES (6, 1795869243867, 'local', NULL, 'fixture', NULL, NULL, '', 'PutPolicy', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'look', 'done', NULL, '{"id":"b751f758f56548d1875d0fc24b10d783","model":"role","sha256":"0f579240d3861772271daa80f9f4cbd2a57092b620d0db05d5f9cd01ef204722","tokens_revoked":0}', '\x8a048601aaebf5e2928b8a6a0015cfbe9374a45b6dc73b95af7c0974f391ed3b', '\x265418fbbb7f2a97585ba2b08e99f66a3f09fb57265314c8cb45f4f8bfe9c83f');
INSERT INTO public.audit VALUES (7, 1795869243882, 'local', NULL, 'fixture', NULL, NULL, '', 'AttachPolicy', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'look', 'done', NULL, '{"group":"dbas","group_id":"b692c794822b4aea8b32f0e76cb13f56","policy_id":"b751f758f56548d1875d0fc24b10d783","tokens_revoked":0,"user":null,"user_id":null}', '\x265418fbbb7f2a97585ba2b08e99f66a3f09fb57265314c8cb45f4f8bfe9c83f', '\x411ce7a02b58aa09d9d417d3a362dd1076ae79c41946de6f2b8d7fe026324579');
INSERT INTO public.audit VALUES (8, 1795869243895, 'local', NULL, 'fixture', NULL, NULL, '', 'AttachPolicy', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', NULL, NULL, 'TaurusDBReadOnlyAccessPolicy', 'done', NULL, '{"group":null,"group_id":null,"policy_id":null,"tokens_revoked":0,"user":"ada","user_id":"25af8cffff5648d39a9675f7bd5d4dd9"}', '\x411ce7a02b58aa09d9d417d3a362dd1076ae79c41946de6f2b8d7fe026324579', '\x067dfed9c8bd95c9b45c1d012e77a3781d0866a217e27400c7e4c45ec5782695');
INSERT INTO public.audit VALUES (9, 1795869243902, 'local', NULL, 'fixture', NULL, NULL, '', 'CreateTemporaryAccessKey', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'TEMPORARY00000000000', 'done', NULL, '{"expires_at":9000000000,"user":"ada","user_id":"25af8cffff5648d39a9675f7bd5d4dd9"}', '\x067dfed9c8bd95c9b45c1d012e77a3781d0866a217e27400c7e4c45ec5782695', '\xf87ef1d6e85d588b45fc67df93dc5182a1ed00b3706b2658625bba635c2ab606');
INSERT INTO public.audit VALUES (10, 1795869243929, 'local', NULL, 'fixture', NULL, NULL, '', 'RevokeToken', '1eb94f3d9d99447f9be8b4283036b5b1', NULL, NULL, NULL, 'ada', 'done', NULL, 'null', '\xf87ef1d6e85d588b45fc67df93dc5182a1ed00b3706b2658625bba635c2ab606', '\xb6b15b0a1864bc858f007b02b84aab20d552dfb943a617412b204fd9cb9cb3b3');
INSERT INTO public.audit VALUES (11, 1795869243951, 'local', NULL, 'fixture', NULL, NULL, '', 'AddInstance', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', NULL, 'shop', 'done', NULL, '{"enterprise_project_id":"95408f56-1b47-4cbf-8a94-c9002be65c56","nodes":["mysql://clew@10.0.0.5:3306/?tls=off","mysql://clew@10.0.0.6:3307/?tls=preferred"],"tags":[{"key":"env","value":"prod"}]}', '\xb6b15b0a1864bc858f007b02b84aab20d552dfb943a617412b204fd9cb9cb3b3', '\xf6d61ee8d47aa503bb462ed8a64f732c5efd5ce2a9f9109fcfa20e4849fed3e0');
INSERT INTO public.audit VALUES (12, 1795869243992, 'local', NULL, 'fixture', NULL, NULL, '', 'SetSlowThreshold', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', NULL, 'shop', 'done', NULL, '{"slow_process_threshold":7}', '\xf6d61ee8d47aa503bb462ed8a64f732c5efd5ce2a9f9109fcfa20e4849fed3e0', '\xa2ba51e4ee8c38dfdbe39a22d14aee452da0c3fcf269405ddf1172a8caf77e9f');
INSERT INTO public.audit VALUES (13, 1795869244149, 'local', NULL, 'fixture', NULL, NULL, '', 'SwitchKillTasks', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', NULL, 'shop', 'done', NULL, '{"status":"ON"}', '\xa2ba51e4ee8c38dfdbe39a22d14aee452da0c3fcf269405ddf1172a8caf77e9f', '\xabea634c5863fa70756583a8393beb4ae42967394cc7aa72190898138688bc1d');
INSERT INTO public.audit VALUES (14, 1795869244173, 'local', NULL, 'fixture', NULL, NULL, '', 'AddKillTask', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', NULL, 'shop', 'done', NULL, '{"asked":{"time":7},"task":"1795869244171"}', '\xabea634c5863fa70756583a8393beb4ae42967394cc7aa72190898138688bc1d', '\x774124bbe327ca0bd3ec8a3362f1df3e7e425bad982315daad3ff9535adde5fd');
INSERT INTO public.audit VALUES (15, 1795869244202, 'local', NULL, 'fixture', NULL, NULL, '', 'KillSession', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '7', 'done', NULL, '{"asked_at":1795869244181,"command":"Query","db":null,"detail":"","host":"10.0.0.7:51234","kind":"connection","outcome":"killed","reason":"it holds everybody up","seconds":37,"source":"manual","state":"executing","statement":"SELECT ?","task":null,"user":"app"}', '\x774124bbe327ca0bd3ec8a3362f1df3e7e425bad982315daad3ff9535adde5fd', '\x7de069615fd69754d5b0eae24f92b06712aae5fc40786ea774055e111c61cd53');
INSERT INTO public.audit VALUES (16, 1795869244228, 'user', '25af8cffff5648d39a9675f7bd5d4dd9', 'ada', '1eb94f3d9d99447f9be8b4283036b5b1', '192.0.2.7', 'a request', 'EndIntelligentKill', '1eb94f3d9d99447f9be8b4283036b5b1', 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '1795869244210', 'failed', NULL, '{"reason":"no node","victims":0}', '\x7de069615fd69754d5b0eae24f92b06712aae5fc40786ea774055e111c61cd53', '\xa18d00d7806ed0f5e6b29e1b752fef702a03009312e408b5a72ad510c7574d3f');


--
-- Data for Name: audit_ends; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_ends VALUES ('checkpoint', 1, '\x0000000000000000000000000000000000000000000000000000000000000000', '\xdc62911a23604d1e5ae04378e635a566fb977ed2daf60b6d8706f60fd775f989');
INSERT INTO public.audit_ends VALUES ('head', 16, '\xa18d00d7806ed0f5e6b29e1b752fef702a03009312e408b5a72ad510c7574d3f', '\xd5f51cac09df9aaf06142d636a4ab4c9f98bfd1240fa01c581a94675ccfb7844');


--
-- Data for Name: domains; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.domains VALUES ('1eb94f3d9d99447f9be8b4283036b5b1', 'acme', 1795869243);


--
-- Data for Name: enterprise_projects; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.enterprise_projects VALUES ('1eb94f3d9d99447f9be8b4283036b5b1', '95408f56-1b47-4cbf-8a94-c9002be65c56', 'retail', 'shops', true, 1795869243);


--
-- Data for Name: failures; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failures VALUES ('\x9ba9749f979b1b547f69d4db274309d6f59f717006a7b673dad358ac3489e3d4', 5, 1795869244, 1795869544);


--
-- Data for Name: instances; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.instances OVERRIDING SYSTEM VALUE VALUES ('0123456789abcdef0123456789abcdefin07', 1, 'feae1d65117f4895a950c1ef1ad638a4', 'shop', '95408f56-1b47-4cbf-8a94-c9002be65c56', 7, 1795869243, 1795869243);


--
-- Data for Name: intelligent_kills; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.intelligent_kills VALUES (1795869244210, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '25af8cffff5648d39a9675f7bd5d4dd9', 'ada', '1eb94f3d9d99447f9be8b4283036b5b1', '192.0.2.7', 'a request', 'error', NULL, 'no node', 1795869244228);
INSERT INTO public.intelligent_kills VALUES (1795869244238, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '25af8cffff5648d39a9675f7bd5d4dd9', 'ada', '1eb94f3d9d99447f9be8b4283036b5b1', '192.0.2.7', 'a request', 'queued', NULL, NULL, NULL);


--
-- Data for Name: kill_switches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.kill_switches VALUES ('0123456789abcdef0123456789abcdefin07', true, NULL, NULL);


--
-- Data for Name: kill_tasks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.kill_tasks VALUES (1795869244171, '0123456789abcdef0123456789abcdefin07', '{"user":"app","host":null,"database":null,"command":null,"sql_key":null,"seconds":7}', true, 1795869244171, NULL, NULL);


--
-- Data for Name: killed_sessions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.killed_sessions OVERRIDING SYSTEM VALUE VALUES (2, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', 'manual', NULL, 'connection', 'it holds everybody up', 8, 'app', '10.0.0.7:51234', NULL, 'Query', 37, 'executing', 'SELECT ?', 1795869244181, NULL, NULL, NULL);
INSERT INTO public.killed_sessions OVERRIDING SYSTEM VALUE VALUES (1, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', 'manual', NULL, 'connection', 'it holds everybody up', 7, 'app', '10.0.0.7:51234', NULL, 'Query', 37, 'executing', 'SELECT ?', 1795869244181, 'killed', '', 1795869244202);


--
-- Data for Name: members; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.members VALUES ('b692c794822b4aea8b32f0e76cb13f56', '25af8cffff5648d39a9675f7bd5d4dd9');


--
-- Data for Name: nodes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.nodes OVERRIDING SYSTEM VALUE VALUES ('0123456789abcdef0123456789abcdefno07', 1, '0123456789abcdef0123456789abcdefin07', 'shop_node0', 'master', 'mysql://clew@10.0.0.5:3306/?tls=off', '10.0.0.5', '\x25a79c76e3e7810fb8b10ca719889e7dcfdf34894bc3a367cfb1e330de312c3c1fc5f47c0baf3864ff7a43cae61d45eaffa6e222f048', 1795869243);
INSERT INTO public.nodes OVERRIDING SYSTEM VALUE VALUES ('fedcba9876543210fedcba9876543210no07', 2, '0123456789abcdef0123456789abcdefin07', 'shop_node1', 'slave', 'mysql://clew@10.0.0.6:3307/?tls=preferred', '10.0.0.6', '\xb48244f29a0da1b878cbccb29ad85e6538cb1c8c1ffdc1dd4dcb2b734a9d1f6fcf74ea34c57dac7d1fe9a962f846', 1795869243);


--
-- Data for Name: policies; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.policies VALUES ('b751f758f56548d1875d0fc24b10d783', '1eb94f3d9d99447f9be8b4283036b5b1', 'look', 'role', '{"Version":"1.1","Statement":[]}', 'only look', 1795869243, 1795869243);


--
-- Data for Name: projects; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.projects VALUES ('feae1d65117f4895a950c1ef1ad638a4', '1eb94f3d9d99447f9be8b4283036b5b1', 'here-1', '', true, false, 1795869243);


--
-- Data for Name: settings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.settings VALUES ('canary', '\x299820fbeadb1c614fc7b25898e46bd628f216bbfa6b128f950ec3b2decaef0d0318ce5087ab286807398ebd7d4f828e9ca6f75c617beb');
INSERT INTO public.settings VALUES ('region', '\x686572652d31');


--
-- Data for Name: tags; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tags VALUES ('0123456789abcdef0123456789abcdefin07', 'env', 'prod');


--
-- Data for Name: tasks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES ('realtime_session-00000000-0000-4000-8000-000000000003-98e3', 1, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}', true, 1, 'error', 'the worker of the fixture', 1, NULL, 1, 'timed-out', 'no answer', NULL, NULL, NULL, NULL, 1795869244012, 1795869244048);
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES ('realtime_session-00000000-0000-4000-8000-000000000002-98e2', 2, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}', true, 1, 'finished', 'the worker of the fixture', 1, NULL, 1, NULL, NULL, 'a result.csv', 3, 42, 'abababababababababababababababababababababababababababababababab', 1795869244057, 1795869244090);
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES ('realtime_session-00000000-0000-4000-8000-000000000001-98e1', 3, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}', true, 1, 'running', 'the worker of the fixture', 1, 1795869254113, 1, NULL, NULL, NULL, NULL, NULL, NULL, 1795869244106, NULL);
INSERT INTO public.tasks OVERRIDING SYSTEM VALUE VALUES ('realtime_session-00000000-0000-4000-8000-000000000000-98e0', 4, 'feae1d65117f4895a950c1ef1ad638a4', '0123456789abcdef0123456789abcdefin07', '0123456789abcdef0123456789abcdefno07', '{"class":"total","threshold":null,"user":"app","host":null,"database":null,"command":null,"sql_key":null,"sort_key":"id","sort_direction":"asc"}', true, 2, 'queued', NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795869244140, NULL);


--
-- Data for Name: temporary_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.temporary_keys VALUES ('TEMPORARY00000000000', '25af8cffff5648d39a9675f7bd5d4dd9', '\xee27f4fe808d478edbad8abc7abfe204e8c1c9b40014b9a2e49b41fdfebcbc19f782a03acc83cd659d5f71d576a9899517a2b2d6601a5a55180196ebcbe34e2e1f3a57', '\x0707070707070707070707070707070707070707070707070707070707070707', 1795869243, 9000000000, NULL);


--
-- Data for Name: tokens; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tokens VALUES ('\x0505050505050505050505050505050505050505050505050505050505050505', '25af8cffff5648d39a9675f7bd5d4dd9', NULL, 'password', 1000, 9000000000, NULL);
INSERT INTO public.tokens VALUES ('\x0606060606060606060606060606060606060606060606060606060606060606', '25af8cffff5648d39a9675f7bd5d4dd9', 'feae1d65117f4895a950c1ef1ad638a4', 'password', 1000, 9000000000, 1795869243);


--
-- Data for Name: user_groups; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.user_groups VALUES ('b692c794822b4aea8b32f0e76cb13f56', '1eb94f3d9d99447f9be8b4283036b5b1', 'dbas', 'on call', 1795869243);


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.users VALUES ('ca9d7e8ac74a4038816d553e03728a9b', '1eb94f3d9d99447f9be8b4283036b5b1', 'admin', '$argon2id$admin', true, true, '', 1795869243);
INSERT INTO public.users VALUES ('25af8cffff5648d39a9675f7bd5d4dd9', '1eb94f3d9d99447f9be8b4283036b5b1', 'ada', '$argon2id$ada', true, false, 'Ünï', 1795869243);


--
-- Name: access_keys_rowid_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.access_keys_rowid_seq', 1, true);


--
-- Name: attachments_rowid_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.attachments_rowid_seq', 2, true);


--
-- Name: instances_rowid_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.instances_rowid_seq', 1, true);


--
-- Name: killed_sessions_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.killed_sessions_id_seq', 2, true);


--
-- Name: nodes_rowid_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.nodes_rowid_seq', 2, true);


--
-- Name: tasks_rowid_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.tasks_rowid_seq', 4, true);


--
-- Name: _sqlx_migrations _sqlx_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);


--
-- Name: access_keys access_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.access_keys
    ADD CONSTRAINT access_keys_pkey PRIMARY KEY (id);


--
-- Name: access_version access_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.access_version
    ADD CONSTRAINT access_version_pkey PRIMARY KEY (only_row);


--
-- Name: attachments attached_once; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attached_once UNIQUE NULLS NOT DISTINCT (policy_id, system_policy, user_id, group_id, project_id);


--
-- Name: audit_ends audit_ends_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_ends
    ADD CONSTRAINT audit_ends_pkey PRIMARY KEY (name);


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (seq);


--
-- Name: domains domains_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_name_key UNIQUE (name);


--
-- Name: domains domains_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (id);


--
-- Name: enterprise_projects enterprise_projects_domain_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.enterprise_projects
    ADD CONSTRAINT enterprise_projects_domain_id_name_key UNIQUE (domain_id, name);


--
-- Name: enterprise_projects enterprise_projects_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.enterprise_projects
    ADD CONSTRAINT enterprise_projects_pkey PRIMARY KEY (domain_id, id);


--
-- Name: failures failures_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (subject);


--
-- Name: instances instances_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_pkey PRIMARY KEY (id);


--
-- Name: instances instances_project_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_project_id_name_key UNIQUE (project_id, name);


--
-- Name: intelligent_kills intelligent_kills_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.intelligent_kills
    ADD CONSTRAINT intelligent_kills_pkey PRIMARY KEY (id);


--
-- Name: kill_switches kill_switches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kill_switches
    ADD CONSTRAINT kill_switches_pkey PRIMARY KEY (instance_id);


--
-- Name: kill_tasks kill_tasks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kill_tasks
    ADD CONSTRAINT kill_tasks_pkey PRIMARY KEY (id);


--
-- Name: killed_sessions killed_sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.killed_sessions
    ADD CONSTRAINT killed_sessions_pkey PRIMARY KEY (id);


--
-- Name: members members_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (group_id, user_id);


--
-- Name: nodes nodes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (id);


--
-- Name: policies policies_domain_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_domain_id_name_key UNIQUE (domain_id, name);


--
-- Name: policies policies_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (id);


--
-- Name: projects projects_domain_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_domain_id_name_key UNIQUE (domain_id, name);


--
-- Name: projects projects_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);


--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);


--
-- Name: tags tags_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (instance_id, key);


--
-- Name: tasks tasks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (request_id);


--
-- Name: tasks tasks_rowid_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_rowid_key UNIQUE (rowid);


--
-- Name: temporary_keys temporary_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.temporary_keys
    ADD CONSTRAINT temporary_keys_pkey PRIMARY KEY (id);


--
-- Name: tokens tokens_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (hash);


--
-- Name: user_groups user_groups_domain_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_domain_id_name_key UNIQUE (domain_id, name);


--
-- Name: user_groups user_groups_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_pkey PRIMARY KEY (id);


--
-- Name: users users_domain_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_domain_id_name_key UNIQUE (domain_id, name);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: access_keys_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX access_keys_by_user ON public.access_keys USING btree (user_id);


--
-- Name: attachments_by_group; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attachments_by_group ON public.attachments USING btree (group_id);


--
-- Name: attachments_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attachments_by_user ON public.attachments USING btree (user_id);


--
-- Name: audit_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_by_time ON public.audit USING btree (at);


--
-- Name: failures_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX failures_by_time ON public.failures USING btree (last_at);


--
-- Name: intelligent_kills_by_node; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX intelligent_kills_by_node ON public.intelligent_kills USING btree (instance_id, node_id);


--
-- Name: intelligent_kills_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX intelligent_kills_open ON public.intelligent_kills USING btree (id) WHERE (status = ANY (ARRAY['queued'::text, 'running'::text]));


--
-- Name: kill_tasks_by_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX kill_tasks_by_instance ON public.kill_tasks USING btree (instance_id);


--
-- Name: kill_tasks_not_stopped; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX kill_tasks_not_stopped ON public.kill_tasks USING btree (ends_at) WHERE (stopped_at IS NULL);


--
-- Name: killed_sessions_by_task; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX killed_sessions_by_task ON public.killed_sessions USING btree (task_id) WHERE (task_id IS NOT NULL);


--
-- Name: killed_sessions_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX killed_sessions_by_time ON public.killed_sessions USING btree (instance_id, asked_at);


--
-- Name: killed_sessions_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX killed_sessions_open ON public.killed_sessions USING btree (asked_at) WHERE (outcome IS NULL);


--
-- Name: members_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX members_by_user ON public.members USING btree (user_id);


--
-- Name: nodes_by_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX nodes_by_instance ON public.nodes USING btree (instance_id);


--
-- Name: one_master; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX one_master ON public.nodes USING btree (instance_id) WHERE (role = 'master'::text);


--
-- Name: tasks_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_by_end ON public.tasks USING btree (ended_at) WHERE (ended_at IS NOT NULL);


--
-- Name: tasks_running; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_running ON public.tasks USING btree (lease_until, node_id, turn) WHERE (status = 'running'::text);


--
-- Name: tasks_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_waiting ON public.tasks USING btree (turn, rowid) WHERE (status = 'queued'::text);


--
-- Name: tasks_waiting_by_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_waiting_by_instance ON public.tasks USING btree (project_id, instance_id, turn) WHERE (status = 'queued'::text);


--
-- Name: tasks_waiting_by_node; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_waiting_by_node ON public.tasks USING btree (node_id) WHERE (status = 'queued'::text);


--
-- Name: temporary_keys_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX temporary_keys_by_end ON public.temporary_keys USING btree (expires_at);


--
-- Name: temporary_keys_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX temporary_keys_by_user ON public.temporary_keys USING btree (user_id);


--
-- Name: tokens_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tokens_by_end ON public.tokens USING btree (expires_at);


--
-- Name: tokens_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tokens_by_user ON public.tokens USING btree (user_id);


--
-- Name: audit_ends audit_ends_only_advance; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_ends_only_advance BEFORE UPDATE ON public.audit_ends FOR EACH ROW WHEN (((new.seq < old.seq) OR (new.name <> old.name))) EXECUTE FUNCTION public.refuse('the ends of the audit only advance');


--
-- Name: audit_ends audit_ends_stay; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_ends_stay BEFORE DELETE ON public.audit_ends FOR EACH ROW EXECUTE FUNCTION public.refuse('the ends of the audit are never removed');


--
-- Name: audit audit_is_kept; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_is_kept BEFORE DELETE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_is_kept();


--
-- Name: audit audit_only_grows; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_only_grows BEFORE INSERT ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_only_grows();


--
-- Name: audit audit_stays_as_it_is; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.refuse('a row of the audit is never changed');


--
-- Name: access_keys changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE OF user_id, secret, enabled ON public.access_keys FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: attachments changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE ON public.attachments FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: domains changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.domains FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: failures changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE ON public.failures FOR EACH ROW EXECUTE FUNCTION public.failures_changed();


--
-- Name: instances changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.instances FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: members changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE ON public.members FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: nodes changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE ON public.nodes FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: policies changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.policies FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: projects changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.projects FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: tags changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER INSERT OR DELETE OR UPDATE ON public.tags FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: temporary_keys changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.temporary_keys FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: tokens changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.tokens FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: user_groups changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.user_groups FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: users changed; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER changed AFTER DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.access_changed();


--
-- Name: access_keys access_keys_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.access_keys
    ADD CONSTRAINT access_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: attachments attachments_group_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.user_groups(id) ON DELETE CASCADE;


--
-- Name: attachments attachments_policy_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_policy_id_fkey FOREIGN KEY (policy_id) REFERENCES public.policies(id);


--
-- Name: attachments attachments_project_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id) ON DELETE CASCADE;


--
-- Name: attachments attachments_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: enterprise_projects enterprise_projects_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.enterprise_projects
    ADD CONSTRAINT enterprise_projects_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id);


--
-- Name: instances instances_project_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);


--
-- Name: kill_switches kill_switches_instance_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kill_switches
    ADD CONSTRAINT kill_switches_instance_id_fkey FOREIGN KEY (instance_id) REFERENCES public.instances(id) ON DELETE CASCADE;


--
-- Name: kill_tasks kill_tasks_instance_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kill_tasks
    ADD CONSTRAINT kill_tasks_instance_id_fkey FOREIGN KEY (instance_id) REFERENCES public.instances(id) ON DELETE CASCADE;


--
-- Name: members members_group_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.user_groups(id) ON DELETE CASCADE;


--
-- Name: members members_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: nodes nodes_instance_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.nodes
    ADD CONSTRAINT nodes_instance_id_fkey FOREIGN KEY (instance_id) REFERENCES public.instances(id) ON DELETE CASCADE;


--
-- Name: policies policies_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id);


--
-- Name: projects projects_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id);


--
-- Name: tags tags_instance_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_instance_id_fkey FOREIGN KEY (instance_id) REFERENCES public.instances(id) ON DELETE CASCADE;


--
-- Name: temporary_keys temporary_keys_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.temporary_keys
    ADD CONSTRAINT temporary_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: tokens tokens_scope_project_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_scope_project_fkey FOREIGN KEY (scope_project) REFERENCES public.projects(id) ON DELETE CASCADE;


--
-- Name: tokens tokens_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: user_groups user_groups_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id);


--
-- Name: users users_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id);


--
-- PostgreSQL database dump complete
--


