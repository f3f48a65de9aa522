-- How a token was issued: 'console' by the sign-in of the page, 'api' by POST /v3/auth/tokens. Only the first may change its project. Tokens
-- of earlier releases count as 'api': whoever holds one signs in again to change the project.
ALTER TABLE tokens ADD COLUMN origin TEXT COLLATE "C" NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'console'));
-- Hash of the token that a temporary key was issued for; NULL if it was issued for a permanent key. It is revoked with that token.
ALTER TABLE temporary_keys ADD COLUMN issued_for BYTEA;
CREATE INDEX temporary_keys_by_token ON temporary_keys (issued_for) WHERE issued_for IS NOT NULL;
