-- Addresses from which a user has authenticated: an IPv4 address, or the /64 of an IPv6 address. Failed attempts from there are counted
-- apart from those of all other addresses. `last_at` is exact to a day, in seconds since 1970.
CREATE TABLE known_addresses (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT COLLATE "C" NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, address)
);
