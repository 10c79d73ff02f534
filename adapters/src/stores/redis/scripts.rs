//! The scripts: each changes the keys of one shard, all or nothing.
//!
//! They are called by their hash; a server that does not know it (restarted, flushed, failed over) is sent all sources
//! and asked again. The time is the server's own: `now.lua` stands before those that decide by it.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// A call of a script.
pub(super) fn call(script: &Script, keys: &[String], args: &[&str]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(keys.len()).arg(keys).arg(args);
    call
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+)));)*

        /// What a server is sent that does not know one of them.
        pub(super) fn sources() -> Vec<&'static str> {
            vec![$(concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+)),*]
        }
    };
}

scripts! {
    PUT = "put";
    ALIVE = "alive";
    ABANDON = "abandon";
    SWEPT = "swept";
    STALE = "stale";
    CLAIM = "claim";
    RELEASE = "release";
    ASK = "now" "ask";
    LEASE = "now" "lease";
    SETTLE = "settle";
    TRY = "now" "try";
    RETIRE = "retire";
}
