-- The API keys of a deployment. Only the SHA-256 of a secret is stored: with 256 bits of entropy, a slow hash would
-- add latency to every request and no security.
create schema if not exists identity;

create table if not exists identity.api_keys (
    key_id        text        not null,
    name          text        not null,
    secret_sha256 bytea       not null,
    created_at    timestamptz not null,
    revoked_at    timestamptz,
    constraint api_keys_pkey primary key (key_id),
    constraint api_keys_secret_is_a_sha256 check (octet_length(secret_sha256) = 32)
);
