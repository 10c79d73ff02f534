//! The scripts: each changes the keys of one shard, all or nothing.
//!
//! They are called by their hash; a server that does not know it (restarted, flushed, failed over) is sent the source
//! and asked again. Time is an argument wherever it is the time of the domain, leases included: the port says when
//! it is, and two readings of one verb must not differ. `TIME` only counts how old a plan is, which is a question
//! about processes and connections and has no answer in the domain.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {$(
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file, ".lua"))));
    )*};
}

scripts! {
    PUT = "put";
    ALIVE = "alive";
    ABANDON = "abandon";
    SWEPT = "swept";
    STALE = "stale";
    CLAIM = "claim";
    RELEASE = "release";
    ASK = "ask";
    LEASE = "lease";
    SETTLE = "settle";
    TRY = "try";
    RETIRE = "retire";
}
