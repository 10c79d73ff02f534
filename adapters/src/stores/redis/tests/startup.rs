//! Which servers are refused at the start, and in which words?

use tapdesk_core::ports::{PortError, Store};

use super::alone;
use super::server::{Server, fresh_prefix};
use crate::stores::contract::samples::{NO_CAP, at, commit, received};
use crate::stores::redis::address::Address;
use crate::stores::redis::{ConnectError, Durability, Redis, RedisConfig};

#[tokio::test]
async fn a_wrong_password_is_for_somebody_to_mend_and_is_not_repeated_to_them() {
    let server = Server::shared();
    let url = format!("redis://tapdesk:not-the-password@127.0.0.1:{}", server.port());
    let config = RedisConfig { url: crate::secret::Secret::new(url), ..server.config("tapdesk") };
    let refused = Redis::connect(config).await.err().unwrap();
    let said = format!("{refused} {refused:?}");
    assert!(matches!(refused, ConnectError::Failed(PortError::Fatal { .. })), "{said}");
    assert!(said.contains("user or password") && !said.contains("not-the-password"), "{said}");
}

#[tokio::test]
async fn a_missing_permission_is_for_somebody_to_mend() {
    let (_dir, server, store) = alone(&[]);
    server.does("ACL SETUSER tapdesk -hset").await;
    let refused = store.open(commit(received(1)), NO_CAP, at(0)).await;
    assert!(
        matches!(&refused, Err(PortError::Fatal { what, .. }) if what.contains("redis.acl")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_server_that_may_lose_more_than_was_configured_is_refused() {
    let (_dir, server, _) = alone(&[]);
    let prefix = fresh_prefix();
    let connect =
        async |required| Redis::connect(RedisConfig { required, ..server.config(&prefix) }).await.err();
    for (settings, weakest_refused) in [
        ("appendfsync always", None),
        ("appendfsync everysec", Some(Durability::Always)),
        ("appendfsync no", Some(Durability::EverySecond)),
    ] {
        server.does(&format!("CONFIG SET {settings}")).await;
        for required in [Durability::None, Durability::EverySecond, Durability::Always] {
            let refused = connect(required).await;
            let expected = weakest_refused.is_some_and(|weakest| required >= weakest);
            assert_eq!(
                matches!(refused, Some(ConnectError::TooWeak { .. })),
                expected,
                "{settings} {refused:?}"
            );
        }
    }
    server.does("CONFIG SET appendonly no").await;
    let refused = connect(Durability::EverySecond).await.unwrap().to_string();
    insta::assert_snapshot!(refused, @r#"required_durability is "everysec", and a crash of this Redis can lose everything since the last snapshot, if it makes any: set appendonly yes and appendfsync always"#);
}

/// `user default off` alone looks careful and loses every commit at the next restart.
#[tokio::test]
async fn a_default_user_who_may_do_nothing_is_refused() {
    let (_dir, server, store) = alone(&[]);
    store.check().await.unwrap();
    server.does("ACL SETUSER default reset").await;
    let refused = store.check().await.err().unwrap().to_string();
    assert!(refused.contains("give the default user back"), "{refused}");
}

#[tokio::test]
async fn a_server_that_throws_keys_away_is_refused() {
    let (_dir, server, store) = alone(&[]);
    server.does("CONFIG SET maxmemory-policy allkeys-lru").await;
    let refused = store.check().await.err().unwrap().to_string();
    insta::assert_snapshot!(refused, @"this Redis throws away keys when its memory is full (maxmemory-policy allkeys-lru): set maxmemory-policy noeviction");
}

#[tokio::test]
async fn the_store_of_another_layout_is_refused() {
    let prefix = fresh_prefix();
    let server = Server::shared();
    server.does(&format!("SET {prefix}:schema 2")).await;
    let refused = Redis::connect(server.config(&prefix)).await.err().unwrap();
    assert!(matches!(refused, ConnectError::Newer { ref found } if found == "2"), "{refused:?}");
}

#[tokio::test]
async fn urls_that_cannot_be_used_are_refused_in_words() {
    let refused = |url: &str| Address::parse(url).err().map(|error| error.to_string()).unwrap_or_default();
    for (url, word) in [
        ("redis+sentinel://u:secret@h:26379", "lacks the name"),
        ("redis+sentinel://u:secret@h:26379/primary/0?sentinel=secret", "unknown parameter"),
        ("redis+sentinel://u:secret@h:26379/primary/first", "well-formed"),
        ("redis+sentinel://u:secret@h,/primary", "well-formed"),
        ("redis+cluster://u:secret@h1,h2/1", "one database"),
        ("redis+cluster://u:secret@h1:port,h2", "well-formed"),
        ("rediss+cluster://u:secret@h1,h2#insecure", "fragment"),
        ("rediss://u:secret@h/#insecure", "fragment"),
        ("http://u:secret@h", "scheme"),
        ("localhost:6379", "scheme"),
        ("redis://u:secret@", "well-formed"),
    ] {
        assert!(refused(url).contains(word) && !refused(url).contains("secret"), "{url}: {}", refused(url));
    }
    for url in [
        "redis://h",
        "redis://u:p@127.0.0.1:6379/2",
        "rediss://u:p@h:6380",
        "unix:///run/redis.sock",
        "redis+sentinel://u:p@h1:26379,[::1]/primary",
        "rediss+sentinel://u:p@h1,h2/primary/2?sentinel_username=s&sentinel_password=%40",
        "redis+cluster://u:p@h1,[::1],[::1]:7000",
        "rediss+cluster://h1",
    ] {
        assert_eq!(refused(url), "", "{url}");
    }
}
