-- Accounts. An account that came from WeChat without a phone number has no mobile.
CREATE TABLE app_user (
    id BIGINT NOT NULL PRIMARY KEY,
    mobile TEXT UNIQUE,
    -- PHC string of argon2id; empty: no login by password.
    password_hash TEXT NOT NULL,
    nickname TEXT NOT NULL,
    -- 0 male, 1 female.
    sex BIGINT NOT NULL,
    avatar TEXT NOT NULL,
    info TEXT NOT NULL,
    -- guest, host, operator or admin.
    role TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- Ways to sign in: auth_type 'system' with the mobile as key, 'wxMini' with WeChat's openid.
CREATE TABLE user_auth (
    auth_type TEXT NOT NULL,
    auth_key TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    PRIMARY KEY (auth_type, auth_key),
    UNIQUE (user_id, auth_type)
);

-- One sign-in and all refresh tokens that followed from it.
CREATE TABLE refresh_family (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    -- 0: alive.
    revoked_at_ms BIGINT NOT NULL,
    -- When its newest token ends; the row is swept after that.
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX refresh_family_user ON refresh_family (user_id);
CREATE INDEX refresh_family_expiry ON refresh_family (expires_at_ms);

CREATE TABLE refresh_token (
    -- SHA-256 of the token in hex: the table gives no token away.
    hash TEXT NOT NULL PRIMARY KEY,
    family_id BIGINT NOT NULL,
    -- 0: not used yet.
    used_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX refresh_token_expiry ON refresh_token (expires_at_ms);
